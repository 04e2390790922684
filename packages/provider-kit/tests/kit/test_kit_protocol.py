"""What the engine asks a provider of the kit, and what it answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import empty_pb2
from provider_kit import Context, Props, Provider, Resource
from pulumi.runtime.proto import provider_pb2
from tests.kit.marker_provider import provider
from tests.kit.serving import UNKNOWN_STRING, Client, Refusal, fake_engine, plain, secret, served
from typing_extensions import override

from tests.patience import PATIENCE

pytestmark = pytest.mark.provider


@pytest.fixture
def client() -> Iterator[Client]:
    with served(provider()) as client:
        client.configure(region="here")
        yield client


def test_it_says_who_it_is_and_that_it_takes_secrets_and_previews(client: Client) -> None:
    assert client.stub.GetPluginInfo(empty_pb2.Empty()).version == "1.2.3"
    assert client.stub.Handshake(provider_pb2.ProviderHandshakeRequest()).accept_secrets
    answer = client.configure(region="here")
    assert answer.acceptSecrets
    assert answer.supportsPreview


def test_what_it_does_not_serve_is_unimplemented(client: Client) -> None:
    with pytest.raises(Refusal) as refused:
        client.call("GetSchema", "GetSchemaRequest")
    assert refused.value.code is grpc.StatusCode.UNIMPLEMENTED


def test_configuration_that_is_refused_says_why(client: Client) -> None:
    with pytest.raises(Refusal, match="there is no such region") as refused:
        client.configure(region="nowhere")
    assert refused.value.code is grpc.StatusCode.FAILED_PRECONDITION


def test_nested_configuration_is_read_and_an_account_id_stays_text(client: Client) -> None:
    client.configure(region='{"a": [1]}')
    args = {"account": "012345678901"}
    answer = client.call("Invoke", "InvokeRequest", tok="test:index:echo", args=args)
    assert plain(getattr(answer, "return")) == args | {"region": {"a": [1]}, "token": "test:index:echo"}


def test_changed_configuration_is_a_change_and_its_version_is_not(client: Client) -> None:
    def changes(old: dict[str, str], new: dict[str, str]) -> int:
        answer = client.call("DiffConfig", "DiffRequest", urn="u", old_inputs=old, olds=old, news=new)
        return int(answer.changes)

    assert changes({"region": "a"}, {"region": "b"}) == provider_pb2.DiffResponse.DIFF_SOME
    assert changes({"version": "1"}, {"version": "2"}) == provider_pb2.DiffResponse.DIFF_NONE


def test_check_fills_in_a_stable_name_and_keeps_unknowns_and_secrets(client: Client) -> None:
    news = {"text": secret("a"), "colour": UNKNOWN_STRING}
    answer = client.check(news, randomSeed=b"\xab\xcd")
    assert plain(answer.inputs) == {"name": "mark-abcd"} | news
    again = client.check(news, olds={"name": "kept"}, randomSeed=b"\x00\x00")
    assert plain(again.inputs)["name"] == "kept"


def test_check_reports_each_wrong_property(client: Client) -> None:
    (failure,) = client.check({"text": ""}).failures
    assert (failure.property, failure.reason) == ("text", "should not be empty")


def test_a_diff_names_each_path_its_kind_and_what_replaces(client: Client) -> None:
    old = {"text": "a", "tags": {"x": "1", "y": "2"}, "colour": "blue"}
    new = {"text": "b", "tags": {"x": "1", "z": "3"}, "colour": "green"}
    answer = client.diff(old, new)
    kind = provider_pb2.PropertyDiff
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(answer.replaces) == ["colour"]
    assert list(answer.diffs) == ["colour", "tags", "text"]
    assert {path: entry.kind for path, entry in answer.detailedDiff.items()} == {
        "text": kind.UPDATE,
        "tags.y": kind.DELETE,
        "tags.z": kind.ADD,
        "colour": kind.UPDATE_REPLACE,
    }
    assert all(entry.inputDiff for entry in answer.detailedDiff.values())
    assert answer.hasDetailedDiff


def test_equal_inputs_are_no_diff_even_where_the_outputs_differ(client: Client) -> None:
    answer = client.diff({"text": "a"}, {"text": "a"}, olds={"text": "a", "arn": "x", "text2": "y"})
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert not answer.detailedDiff


def test_a_diff_sees_reality_through_the_old_outputs(client: Client) -> None:
    answer = client.diff({"text": "a"}, {"text": "a"}, olds={"text": "a", "drifted": True})
    assert list(answer.diffs) == ["weights"]
    assert not answer.detailedDiff["weights"].inputDiff


def test_ignored_changes_are_no_diff(client: Client) -> None:
    answer = client.diff({"tags": {"a": "1"}}, {"tags": {"a": "2"}}, ignoreChanges=["tags.a"])
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_an_unknown_input_is_a_change(client: Client) -> None:
    assert list(client.diff({"text": "a"}, {"text": UNKNOWN_STRING}).diffs) == ["text"]


def test_a_preview_of_a_create_knows_the_inputs_and_not_what_will_be_computed(client: Client) -> None:
    answer = client.create({"text": "a", "act": "crash"}, preview=True)
    assert answer.id == ""
    assert plain(answer.properties) == {
        "text": "a",
        "act": "crash",
        "arn": UNKNOWN_STRING,
        "password": secret(UNKNOWN_STRING),
    }


def test_a_preview_of_an_update_keeps_what_was_computed(client: Client) -> None:
    answer = client.update({"text": "a", "arn": "arn:m-1"}, {"text": UNKNOWN_STRING}, preview=True)
    assert plain(answer.properties) == {"text": UNKNOWN_STRING, "arn": "arn:m-1"}


def test_a_create_answers_inputs_and_outputs_with_their_secrets(client: Client) -> None:
    answer = client.create({"text": secret("a")})
    assert answer.id == "m-1"
    assert plain(answer.properties) == {
        "text": secret("a"),
        "arn": "arn:m-1",
        "password": secret("hunter2"),
        "seen": ["text"],
    }


def test_an_update_sees_the_old_inputs_and_keeps_computed_outputs_secret(client: Client) -> None:
    old = {"text": "a", "arn": secret("arn:m-1")}
    answer = client.update(old, {"text": "b"})
    assert plain(answer.properties) == {"text": "b", "before": "a", "arn": secret("arn:m-1")}


def test_a_read_answers_what_is_live_as_outputs_and_inputs(client: Client) -> None:
    answer = client.read("m-1", {"arn": "old", "text": "a"}, {"text": secret("a")})
    assert answer.id == "m-1"
    assert plain(answer.properties)["arn"] == "arn:m-1"
    assert plain(answer.inputs) == {"text": secret("live")}


def test_a_read_of_what_is_gone_has_no_id(client: Client) -> None:
    assert client.read("gone", {}, {}).id == ""


def test_a_user_error_is_just_its_message(client: Client) -> None:
    for attempt in (client.create, client.delete):
        with pytest.raises(Refusal) as refused:
            attempt({"act": "refuse"})
        assert refused.value == Refusal(grpc.StatusCode.FAILED_PRECONDITION, "the text is not allowed")


def test_an_aws_error_says_what_was_refused_and_why(client: Client) -> None:
    with pytest.raises(Refusal) as refused:
        client.create({"act": "aws"})
    message = "AWS refused CreateService: not idempotent. (InvalidParameterException)"
    assert refused.value == Refusal(grpc.StatusCode.FAILED_PRECONDITION, message)


def test_a_bug_is_internal_with_its_type_and_its_traceback_goes_to_stderr(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Refusal) as refused:
        client.create({"act": "crash"})
    assert refused.value == Refusal(grpc.StatusCode.INTERNAL, "ZeroDivisionError: by zero")
    assert "Traceback" in capfd.readouterr().err


def test_a_partial_failure_of_a_create_keeps_the_resource(client: Client) -> None:
    with pytest.raises(Refusal) as refused:
        client.create({"act": "partial", "text": secret("a")})
    kept = refused.value.kept
    assert refused.value.message == "made, but broken"
    assert (kept.id, list(kept.reasons)) == ("m-1", ["made, but broken"])
    assert plain(kept.properties) == {"act": "partial", "text": secret("a"), "arn": "arn:m-1"}


def test_a_partial_failure_of_an_update_keeps_what_was_computed(client: Client) -> None:
    with pytest.raises(Refusal) as refused:
        client.update({"text": "a", "password": secret("b")}, {"act": "partial"})
    assert plain(refused.value.kept.properties) == {
        "act": "partial",
        "arn": "arn:m-1",
        "password": secret("b"),
    }


def test_types_and_functions_that_are_not_there_are_refused_with_the_providers_note(client: Client) -> None:
    with pytest.raises(Refusal, match=r"resource type test:index:Other is not served by test 1\.2\.3: see the"):
        client.check({}, urn="urn:pulumi:dev::p::test:index:Other::x")
    with pytest.raises(Refusal, match="function test:index:other is not served"):
        client.call("Invoke", "InvokeRequest", tok="test:index:other", args={})


def test_messages_reach_the_engines_display() -> None:
    with fake_engine() as (engine, address), served(provider(), address) as client:
        client.configure()
        client.create({"act": "say"})
        status, warning = engine.logged.get(timeout=PATIENCE), engine.logged.get(timeout=PATIENCE)
    assert (status.message, status.ephemeral, status.urn.endswith("::mark")) == ("half way", True, True)
    assert (warning.message, warning.ephemeral) == ("look out", False)


def test_messages_to_an_engine_that_is_gone_do_no_harm() -> None:
    with fake_engine() as (_, address):
        pass
    with served(provider(), address) as client:
        client.configure()
        assert client.create({"act": "say"}).id == "m-1"


def test_cancel_ends_what_waits_and_others_are_served_meanwhile() -> None:
    with fake_engine() as (engine, address), served(provider(), address) as client, ThreadPoolExecutor() as pool:
        client.configure()
        waiting = pool.submit(client.create, {"act": "wait"})
        assert engine.logged.get(timeout=PATIENCE).message == "waiting"
        assert client.create({"text": "meanwhile"}).id == "m-1"
        assert not waiting.done()
        client.cancel()
        with pytest.raises(Refusal) as refused:
            waiting.result(timeout=PATIENCE)
    assert refused.value == Refusal(grpc.StatusCode.FAILED_PRECONDITION, "the marker's wait was cancelled")


def test_many_requests_are_served_at_once() -> None:
    """Fifty creates that only end when all of them have begun."""
    together = threading.Barrier(50)

    class Together(Resource):
        token = "test:index:Marker"

        @override
        def create(self, ctx: Context, inputs: Props) -> tuple[str, Props]:
            together.wait(timeout=PATIENCE)
            return "x", {}

    with served(Provider("test", "1", [Together()])) as client, ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: client.create({}), range(50)))
    assert len(answers) == 50


def test_a_replacement_deletes_first_where_the_resource_says_so(client: Client) -> None:
    for alone in (True, False):
        diff = client.diff({"colour": "blue"}, {"colour": "green", "alone": alone})
        assert list(diff.replaces) == ["colour"]
        assert diff.deleteBeforeReplace is alone


def test_a_secret_that_comes_back_under_another_name_is_a_secret_there_too(client: Client) -> None:
    made = plain(client.create({"text": secret("correct-horse"), "act": "echo"}).properties)
    assert made["text"] == made["echo"] == secret("correct-horse")
    with pytest.raises(Refusal) as refused:
        client.create({"text": secret("arn:m-1x"), "act": "partial", "other": "arn:m-1x"})
    assert plain(refused.value.kept.properties)["other"] == secret("arn:m-1x")
