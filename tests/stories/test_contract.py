"""An image declares what it needs, by labels: a release that does not get it is refused before anything changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from release_lane.aws.cloud import MANIFESTS

from tests.stories.cloud import idle_of, tasks, without_ciphertext
from tools.lane import Lane, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.long, pytest.mark.timeout(600)]
MISSING = "env.GREETING: is required, and not given"
INDEX = "application/vnd.oci.image.index.v1+json"


def index_of(lane: Lane, digest: str) -> str:
    """An index of which this image is the platform that runs; its digest."""
    ecr, repository = lane.aws("ecr"), lane.repository.split("/", 1)[1]
    found = ecr.batch_get_image(
        repositoryName=repository, imageIds=[{"imageDigest": digest}], acceptedMediaTypes=list(MANIFESTS)
    )["images"][0]["imageManifest"]
    part: dict[str, object] = {"mediaType": json.loads(found)["mediaType"], "digest": digest, "size": len(found)}
    part["platform"] = {"os": "linux", "architecture": "amd64"}
    text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [part]})
    ecr.put_image(repositoryName=repository, imageManifest=text, imageManifestMediaType=INDEX, imageTag="needy-index")
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Where two states have something else of a resource."""
    where = {(urn, key) for state in (before, after) for urn, resource in state.items() for key in resource}
    return sorted(
        f"{urn}: {key}: {was} -> {now}"
        for urn, key in where
        if (was := before.get(urn, {}).get(key)) != (now := after.get(urn, {}).get(key))
    )


def kept(stack: Stack) -> dict[str, Any]:
    """What the state has of each resource. The order in which it lists them is the engine's, and so is the ciphertext
    of a secret: another one each time that the state is written."""
    return {each["urn"]: without_ciphertext(each) for each in stack.state.get("resources", [])}


def refused(stack: Stack, **config: str) -> None:
    """In the preview and in the update, before anything changes."""
    before = kept(stack)
    for result in (stack.preview(**config), stack.up(**config)):
        assert not result.ok
        assert MISSING in result.text
        assert "Nothing was changed" in result.text
    changed = differences(before, kept(stack))
    assert not changed, "\n".join(changed)


def test_an_image_gets_what_it_declares_or_is_refused_in_the_preview(lane: Lane, good: str, better: str) -> None:
    stack = lane.environment("contract", like="staging", smoke={"deadlineSeconds": 8})
    needy = lane.derive("needy", good)
    assert stack.up(imageDigest=better).ok
    serving = tasks(stack, stack.outputs["liveColour"])

    refused(stack, imageDigest=needy)
    index = index_of(lane, needy)
    refused(stack, imageDigest=index)
    assert tasks(stack, stack.outputs["liveColour"]) == serving

    given = stack.with_settings(env={"LOG_LEVEL": "info", "GREETING": "hello"})
    assert given.preview(imageDigest=index).ok
    released = given.up(imageDigest=needy)
    assert released.ok, released.text
    assert stack.served()["digest"] == needy
    assert not [each for each in stack.outputs["evidence"][-1]["unchecked"] if "declare" in each]

    back = stack.up(imageDigest=better, rollbackFrom=needy)
    assert back.ok, back.text
    again = stack.up(imageDigest=needy, forwardFrom=better)
    assert again.ok, "it ran here with its own configuration, whatever the stack file says now\n" + again.text


def test_the_image_alone_goes_back_as_a_deployment_with_todays_configuration(
    lane: Lane, good: str, better: str
) -> None:
    stack = lane.environment("alone", like="staging", smoke={"deadlineSeconds": 8})
    needy, given = lane.derive("needy", good), {"LOG_LEVEL": "info", "GREETING": "hello"}
    assert stack.with_settings(env=given).up(imageDigest=needy).ok
    assert stack.up(imageDigest=better).ok
    result = stack.up(imageDigest=needy, redeployFrom=better)
    assert not result.ok, "the configuration of now lacks what the image needs"
    assert MISSING in result.text

    before, today = tasks(stack, idle_of(stack)), {**given, "GREETING": "good evening"}
    alone = stack.with_settings(env=today).up(imageDigest=needy, redeployFrom=better)
    assert alone.ok, alone.text
    assert "Decision: deploy" in alone.text
    assert "an earlier image with the configuration of now (env.GREETING)" in alone.text
    assert stack.served()["digest"] == needy
    assert stack.outputs["liveRelease"]["service"]["env"] == today
    assert not set(before) & set(tasks(stack, stack.outputs["liveColour"])), "tasks were started anew"
