// pulumi-resource-aws, built from published modules: Terraform's AWS provider behind Pulumi's bridge.
//
//	pulumi-resource-aws ADDRESS        serve the engine, as any plugin
//	pulumi-resource-aws schema --out D write schema.json and bridge-metadata.json, from types.json
//
// types.json, schema.json and bridge-metadata.json lie next to this executable. The binary knows only services; which
// of their types it serves, and by which tokens, is in types.json. So a new type needs no new build.
//
// The names and defaults below are those of pulumi-aws 7 for the types that local_aws.toolchain.provider.types lists.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-provider-aws/xpprovider"
	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	pftfgen "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// served is types.json: Terraform name -> Pulumi token.
type served struct {
	Version   string            `json:"version"`
	Resources map[string]string `json:"resources"`
	Functions map[string]string `json:"functions"`
}

func main() {
	here, err := os.Executable()
	check(err)
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(here), name))
		if !errors.Is(err, fs.ErrNotExist) {
			check(err)
		}
		return content
	}
	var types served
	check(json.Unmarshal(read("types.json"), &types))
	ctx := context.Background()
	if len(os.Args) > 1 && os.Args[1] == "schema" {
		pftfgen.MainWithMuxer("aws", provider(ctx, types, nil))
		return
	}
	pf.MainWithMuxer(ctx, "aws", provider(ctx, types, read("bridge-metadata.json")), read("schema.json"))
}

func check(err error) {
	if err != nil {
		log.Fatalf("pulumi-resource-aws: %v", err)
	}
}

func provider(ctx context.Context, types served, metadata []byte) tfbridge.ProviderInfo {
	framework, sdk, err := xpprovider.GetProvider(ctx)
	check(err)
	sdk.TerraformVersion = "1.0.0+compatible"
	info := tfbridge.ProviderInfo{
		P:            pf.MuxShimWithPF(ctx, shimv2.NewProvider(sdk), framework),
		Name:         "aws",
		Version:      types.Version,
		MetadataInfo: tfbridge.NewProviderMetadata(metadata),
		Config: map[string]*tfbridge.SchemaInfo{
			"region":                      {Default: &tfbridge.DefaultInfo{EnvVars: []string{"AWS_REGION", "AWS_DEFAULT_REGION"}}},
			"skip_region_validation":      {Default: &tfbridge.DefaultInfo{Value: true}},
			"skip_credentials_validation": {Default: &tfbridge.DefaultInfo{Value: false}},
			"skip_metadata_api_check":     {Type: "boolean"},
			"access_key":                  {Secret: tfbridge.True()},
			"secret_key":                  {Secret: tfbridge.True()},
			"token":                       {Secret: tfbridge.True()},
		},
		Resources:   map[string]*tfbridge.ResourceInfo{},
		DataSources: map[string]*tfbridge.DataSourceInfo{},

		SkipValidateProviderConfigForPluginFramework: true,
	}
	ours := overrides()
	for name, token := range types.Resources {
		schema, known := info.P.ResourcesMap().GetOk(name)
		if !known {
			log.Fatalf("pulumi-resource-aws: no compiled service has the resource %s", name)
		}
		entry := ours[name]
		if entry == nil {
			entry = &tfbridge.ResourceInfo{}
		}
		_, ofSDK := sdk.ResourcesMap[name]
		info.Resources[name] = completed(entry, token, schema.Schema(), ofSDK)
	}
	for name, token := range types.Functions {
		if _, known := info.P.DataSourcesMap().GetOk(name); !known {
			log.Fatalf("pulumi-resource-aws: no compiled service has the data source %s", name)
		}
		info.DataSources[name] = &tfbridge.DataSourceInfo{Tok: tokens.ModuleMember(token)}
	}
	info.IgnoreMappings = unserved(info)
	return info
}

// unserved are the types of the compiled services that types.json does not list.
func unserved(info tfbridge.ProviderInfo) []string {
	var names []string
	info.P.ResourcesMap().Range(func(name string, _ shim.Resource) bool {
		if info.Resources[name] == nil {
			names = append(names, name)
		}
		return true
	})
	info.P.DataSourcesMap().Range(func(name string, _ shim.Resource) bool {
		if info.DataSources[name] == nil {
			names = append(names, name)
		}
		return true
	})
	return names
}

// completed has what pulumi-aws gives all types: a made-up name, the provider's region, and default tags.
func completed(entry *tfbridge.ResourceInfo, token string, schema shim.SchemaMap, ofSDK bool) *tfbridge.ResourceInfo {
	entry.Tok = tokens.Type(token)
	if entry.Fields == nil {
		entry.Fields = map[string]*tfbridge.SchemaInfo{}
	}
	if name, has := schema.GetOk("name"); has && (name.Optional() || name.Required()) && entry.Fields["name"] == nil {
		entry.Fields["name"] = tfbridge.AutoName("name", 255, "-")
	}
	region, hasRegion := schema.GetOk("region")
	inRegion := hasRegion && region.Deprecated() == ""
	tags, hasTags := schema.GetOk("tags")
	_, hasAll := schema.GetOk("tags_all")
	tagged := ofSDK && hasTags && hasAll && (!tags.Computed() || tags.Optional())
	if tagged {
		entry.Fields["tags_all"] = &tfbridge.SchemaInfo{
			MarkAsComputedOnly: tfbridge.True(), MarkAsOptional: tfbridge.False(),
		}
	}
	entry.PreCheckCallback = func(
		_ context.Context, inputs, config resource.PropertyMap,
	) (resource.PropertyMap, error) {
		inputs = inputs.Copy()
		if given, has := inputs["region"]; inRegion && (!has || given.IsNull()) {
			if own, has := config["region"]; has && !own.IsNull() {
				inputs["region"] = own
			}
		}
		if tagged {
			inputs["tagsAll"] = allTags(inputs["tags"], config)
		}
		return inputs, nil
	}
	return entry
}

// allTags are the provider's default tags and the resource's own, without those that the provider ignores.
func allTags(own resource.PropertyValue, config resource.PropertyMap) resource.PropertyValue {
	if own.ContainsUnknowns() || resource.NewObjectProperty(config).ContainsUnknowns() {
		return resource.NewOutputProperty(resource.Output{Known: false})
	}
	all := resource.PropertyMap{}
	add := func(from resource.PropertyValue) {
		if from.IsObject() {
			for key, value := range from.ObjectValue() {
				all[key] = value
			}
		}
	}
	if defaults := config["defaultTags"]; defaults.IsObject() {
		add(defaults.ObjectValue()["tags"])
	}
	add(own)
	if ignored := config["ignoreTags"]; ignored.IsObject() {
		drop(all, ignored.ObjectValue())
	}
	return resource.NewObjectProperty(all)
}

func drop(all, ignored resource.PropertyMap) {
	words := func(name resource.PropertyKey) (found []string) {
		if list := ignored[name]; list.IsArray() {
			for _, word := range list.ArrayValue() {
				found = append(found, word.StringValue())
			}
		}
		return found
	}
	for _, key := range words("keys") {
		delete(all, resource.PropertyKey(key))
	}
	for _, prefix := range words("keyPrefixes") {
		for key := range all {
			if strings.HasPrefix(string(key), prefix) {
				delete(all, key)
			}
		}
	}
}

type fields = map[string]*tfbridge.SchemaInfo

// overrides are where pulumi-aws departs from the bridge's own rules.
func overrides() map[string]*tfbridge.ResourceInfo {
	document := func(name string) fields { return fields{name: json_()} }
	byOurs := &tfbridge.SchemaInfo{Default: &tfbridge.DefaultInfo{Value: "Managed by Pulumi"}}
	several := func(name string) *tfbridge.SchemaInfo {
		return &tfbridge.SchemaInfo{Name: name, MaxItemsOne: tfbridge.False()}
	}
	return map[string]*tfbridge.ResourceInfo{
		"aws_cloudwatch_log_group":    {IDFields: []string{"name"}},
		"aws_cloudwatch_metric_alarm": {Fields: fields{"alarm_name": tfbridge.AutoName("name", 255, "-")}},
		"aws_db_instance": {Fields: fields{"identifier": tfbridge.AutoNameWithCustomOptions(
			"identifier", tfbridge.AutoNameOptions{Maxlen: 255, Randlen: 7},
		)}},
		"aws_db_subnet_group":       {Fields: fields{"description": byOurs}},
		"aws_ecr_lifecycle_policy":  {DeleteBeforeReplace: true, Fields: document("policy")},
		"aws_ecr_repository_policy": {Fields: document("policy")},
		"aws_ecs_service": {Fields: fields{
			"load_balancer": several("loadBalancers"),
			"service_connect_configuration": inside(fields{
				"service": inside(fields{"client_alias": several("clientAlias")}),
			}),
		}},
		"aws_elasticache_replication_group": {Fields: fields{
			"replication_group_id":       tfbridge.AutoNameTransform("replicationGroupId", 40, strings.ToLower),
			"at_rest_encryption_enabled": {Type: "boolean"},
			"auto_minor_version_upgrade": {Type: "boolean"},
		}},
		"aws_elasticache_subnet_group": {Fields: fields{"description": byOurs}},
		"aws_iam_policy":               {Fields: document("policy")},
		"aws_iam_role": {Fields: fields{
			"name":               tfbridge.AutoName("name", 64, "-"),
			"assume_role_policy": json_(),
			"inline_policy":      inside(fields{"name": tfbridge.AutoName("name", 128, "-")}),
		}},
		"aws_iam_role_policy":            {Fields: document("policy")},
		"aws_iam_role_policy_attachment": {DeleteBeforeReplace: true, Fields: fields{"policy_arn": {Name: "policyArn"}}},
		"aws_kms_alias": {Fields: fields{"name": named(238, func(_ *tfbridge.PulumiResource, name string) string {
			return "alias/" + strings.TrimPrefix(name, "alias/")
		})}},
		"aws_route53_record": {Fields: fields{
			"name":                       {Name: "name"},
			"alias":                      several("aliases"),
			"failover_routing_policy":    several("failoverRoutingPolicies"),
			"geolocation_routing_policy": several("geolocationRoutingPolicies"),
			"latency_routing_policy":     several("latencyRoutingPolicies"),
			"weighted_routing_policy":    several("weightedRoutingPolicies"),
		}},
		"aws_route53_zone": {Fields: fields{"comment": byOurs}},
		"aws_s3_bucket": {Fields: fields{
			"bucket": tfbridge.AutoNameTransform("bucket", 63, strings.ToLower),
			"policy": json_(),
		}},
		"aws_s3_bucket_policy": {Fields: document("policy")},
		"aws_security_group": {Fields: fields{
			"description": byOurs,
			"egress":      {Name: "egress"},
			"ingress":     {Name: "ingress"},
		}},
		"aws_sns_topic": {Fields: fields{"name": named(80, func(it *tfbridge.PulumiResource, name string) string {
			if fifo := it.Properties["fifoTopic"]; fifo.IsBool() && fifo.BoolValue() {
				return name + ".fifo"
			}
			return name
		})}},
		"aws_sns_topic_policy":       {Fields: document("policy")},
		"aws_sns_topic_subscription": {Fields: fields{"topic_arn": {Name: "topic"}}},
	}
}

func json_() *tfbridge.SchemaInfo {
	return &tfbridge.SchemaInfo{Type: "string", Transform: tfbridge.TransformJSONDocument}
}

func inside(of fields) *tfbridge.SchemaInfo {
	return &tfbridge.SchemaInfo{Elem: &tfbridge.SchemaInfo{Fields: of}}
}

func named(longest int, after func(*tfbridge.PulumiResource, string) string) *tfbridge.SchemaInfo {
	return tfbridge.AutoNameWithCustomOptions("name", tfbridge.AutoNameOptions{
		Separator: "-", Maxlen: longest, Randlen: 7,
		PostTransform: func(it *tfbridge.PulumiResource, name string) (string, error) { return after(it, name), nil },
	})
}
