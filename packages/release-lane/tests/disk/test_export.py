"""What is built is the tree of the commit: by real git, in repositories of all kinds. No cloud."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from release_lane.disk.export import export
from release_lane.disk.git import environment, to_build
from release_lane.errors import CloudError, UsageError
from release_lane.record.app import App

pytestmark = pytest.mark.cli

ME = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
}  # fmt: skip
TREE = {"Dockerfile": "FROM scratch\nCOPY . /\n", "service.py": "one\ntwo\n", "deep/er/data.txt": "data\n"}


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's configuration of git, empty."""
    folder = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "none"))
    return folder


def git(folder: Path, *arguments: str, **more: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env=environment() | ME | more,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def commit(folder: Path, message: str = "a commit") -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def repository(folder: Path, files: Mapping[str, str] = TREE, below: str = "app") -> Path:
    """A checkout with one commit, whose app/ has these files."""
    write(folder / below, files)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "source")


def built(source: Path, into: Path, app: App | None = None) -> dict[str, str]:
    """What the image of this checkout would be built from: links as `-> target`."""
    export(to_build(source, app), into)
    return contents(into)


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): f"-> {os.readlink(path)}"
        if path.is_symlink()
        else path.read_bytes().decode()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def refusal(source: Path, into: Path, app: App | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        export(to_build(source, app), into)
    return caught.value


# ---- exactly the tree


def test_what_is_built_is_the_tree_of_the_commit(source: Path, tmp_path: Path) -> None:
    assert built(source, tmp_path / "out") == TREE


def test_a_file_that_git_ignores_is_not_in_it(source: Path, tmp_path: Path) -> None:
    write(source / "app", {".gitignore": "*.bin\n"})
    commit(source)
    write(source / "app", {"old.bin": "built by hand"})
    assert built(source, tmp_path / "out") == TREE | {".gitignore": "*.bin\n"}


def test_an_untracked_file_that_configuration_hides_is_refused(source: Path, tmp_path: Path) -> None:
    git(source, "config", "status.showUntrackedFiles", "no")
    write(source / "app", {"local_settings.py": "DEBUG = True"})
    assert "app/local_settings.py" in refusal(source, tmp_path / "out").what


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_that_a_flag_of_the_index_hides_is_not_in_it(flag: str, source: Path, tmp_path: Path) -> None:
    git(source, "update-index", flag, "app/service.py")
    write(source / "app", {"service.py": "changed here alone"})
    assert built(source, tmp_path / "out") == TREE


def test_what_a_sparse_checkout_leaves_out_is_in_it(source: Path, tmp_path: Path) -> None:
    git(source, "sparse-checkout", "set", "--no-cone", "/app/Dockerfile")
    assert not (source / "app/service.py").exists()
    assert built(source, tmp_path / "out") == TREE


@pytest.mark.parametrize("where", ["global", "local"])
def test_line_ends_are_those_of_the_commit(where: str, source: Path, home: Path, tmp_path: Path) -> None:
    if where == "global":
        (home / ".gitconfig").write_text("[core]\n\tautocrlf = true\n\teol = crlf\n")
    else:
        git(source, "config", "core.autocrlf", "true")
    git(source, "-c", "core.autocrlf=true", "rm", "--cached", "-rq", "app")
    git(source, "-c", "core.autocrlf=true", "reset", "--hard", "--quiet")
    assert b"\r\n" in (source / "app/service.py").read_bytes()
    assert built(source, tmp_path / "out") == TREE


def test_attributes_and_filters_change_nothing(source: Path, tmp_path: Path) -> None:
    attributes = "service.py export-ignore\ndeep export-ignore\n*.id export-subst ident filter=loud text eol=crlf\n"
    write(source / "app", {".gitattributes": attributes, "a.id": "$Id$ $Format:%H$\n"})
    commit(source)
    for name, command in (("clean", "tr A-Z a-z"), ("smudge", "tr a-z A-Z")):
        git(source, "config", f"filter.loud.{name}", command)
    (source / "app/a.id").unlink()
    git(source, "checkout", "--", "app/a.id")
    assert (source / "app/a.id").read_bytes() != b"$Id$ $Format:%H$\n"
    git(source, "update-index", "--assume-unchanged", "app/a.id")  # the filters here do not give back what they took
    assert built(source, tmp_path / "out") == TREE | {".gitattributes": attributes, "a.id": "$Id$ $Format:%H$\n"}


def test_a_replaced_commit_is_built_as_its_own_sha_names_it(source: Path, tmp_path: Path) -> None:
    first = git(source, "rev-parse", "HEAD")
    write(source / "app", {"service.py": "another"})
    git(source, "replace", first, commit(source))
    git(source, "reset", "--hard", "--quiet", first, GIT_NO_REPLACE_OBJECTS="1")
    assert built(source, tmp_path / "out") == TREE


def test_a_worktree_is_built_like_any_checkout(source: Path, tmp_path: Path) -> None:
    git(source, "worktree", "add", "--quiet", str(tmp_path / "other"))
    write(tmp_path / "other/app", {"service.py": "of the other"})
    commit(tmp_path / "other")
    assert built(tmp_path / "other", tmp_path / "out")["service.py"] == "of the other"
    assert built(source, tmp_path / "out2") == TREE


def test_a_shallow_clone_is_built_like_any_checkout(source: Path, tmp_path: Path) -> None:
    write(source / "app", {"service.py": "newer"})
    commit(source)
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{source}", "shallow")
    assert built(tmp_path / "shallow", tmp_path / "out") == TREE | {"service.py": "newer"}


def test_a_repository_kept_in_sha256_is_built_like_any(tmp_path: Path) -> None:
    folder = write(tmp_path / "new", {f"app/{name}": text for name, text in TREE.items()})
    git(folder, "init", "--quiet", "--object-format=sha256")
    assert len(commit(folder)) == 64
    assert built(folder, tmp_path / "out") == TREE


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"])
def test_an_inherited_variable_leads_git_nowhere(
    name: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repository(tmp_path / "other", TREE | {"service.py": "of another repository"})
    led = {"GIT_DIR": ".git", "GIT_WORK_TREE": ".", "GIT_INDEX_FILE": ".git/index", "GIT_OBJECT_DIRECTORY": "nowhere"}
    monkeypatch.setenv(name, str(other / led[name]))
    assert to_build(source).sha == git(source, "rev-parse", "HEAD")
    assert built(source, tmp_path / "out") == TREE


def test_inherited_configuration_hides_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "excludes").write_text("*.tmp\n")
    write(source / "app", {"new.tmp": "in no commit"})
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.excludesFile")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(tmp_path / "excludes"))
    assert "app/new.tmp" in refusal(source, tmp_path / "out").what


def test_what_reaches_a_remote_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i key")
    monkeypatch.setenv("GIT_PREFIX", "app/")
    kept = environment()
    assert kept["GIT_SSH_COMMAND"] == "ssh -i key"
    assert "GIT_PREFIX" not in kept


def test_names_of_any_bytes_are_written(source: Path, tmp_path: Path) -> None:
    odd = {"with blank\tand tab\n.txt": "1", "-dash": "2", "ünï": "3", os.fsdecode(b"latin-\xe4"): "4"}
    write(source / "app", odd)
    commit(source)
    assert built(source, tmp_path / "out") == TREE | odd


def test_modes_and_times_are_the_commits_own_whatever_the_umask(source: Path, tmp_path: Path) -> None:
    write(source / "app", {"run.sh": "#!/bin/sh\n"})
    (source / "app/run.sh").chmod(0o755)
    (source / "app/deep/link").symlink_to("er")
    commit(source)
    seen = []
    for umask in (0o077, 0o002):
        before = os.umask(umask)
        try:
            out = tmp_path / f"out-{umask}"
            export(to_build(source), out)
        finally:
            os.umask(before)
        paths = [out, *sorted(out.rglob("*"))]
        seen.append([(path.relative_to(out), path.lstat().st_mode, path.lstat().st_mtime) for path in paths])
    assert seen[0] == seen[1]
    assert {time for _, _, time in seen[0]} == {float(git(source, "show", "-s", "--format=%ct"))}
    assert os.access(tmp_path / "out-2/run.sh", os.X_OK)
    assert not os.access(tmp_path / "out-2/service.py", os.X_OK)


# ---- links


def test_a_link_that_stays_inside_is_a_link(source: Path, tmp_path: Path) -> None:
    (source / "app/deep/up").symlink_to("../service.py")
    (source / "app/all").symlink_to("deep")
    (source / "app/dangling").symlink_to("not-there")
    commit(source)
    found = built(source, tmp_path / "out")
    assert found == TREE | {"deep/up": "-> ../service.py", "all": "-> deep", "dangling": "-> not-there"}


@pytest.mark.parametrize("to", ["/etc/passwd", "../README", "deep/er/../../../README", "deep/er/top/../README"])
def test_a_link_that_leads_out_is_refused(to: str, source: Path, tmp_path: Path) -> None:
    (source / "app/deep/er/top").symlink_to("../..")  # inside; by its way the last one is outside, though not by name
    (source / "app/out").symlink_to(to)
    commit(source)
    error = refusal(source, tmp_path / "out")
    assert error.what.endswith("lead out of app/: out.")


def test_an_app_that_is_a_link_in_the_working_directory_alone_is_refused_as_a_change(
    source: Path, tmp_path: Path
) -> None:
    shutil.move(source / "app", tmp_path / "elsewhere")
    (source / "app").symlink_to(tmp_path / "elsewhere")
    assert "app" in refusal(source, tmp_path / "out").what


def test_an_app_that_is_a_link_in_the_commit_is_refused(source: Path, tmp_path: Path) -> None:
    shutil.move(source / "app", tmp_path / "elsewhere")
    (source / "app").symlink_to(tmp_path / "elsewhere")
    commit(source)
    assert "symbolic link" in refusal(source, tmp_path / "out").what


# ---- submodules


@pytest.fixture
def with_submodule(source: Path, tmp_path: Path) -> Path:
    """`source` with the submodule app/lib, which has one itself."""
    inner = repository(tmp_path / "inner", {"inner.py": "inner\n"}, below=".")
    lib = repository(tmp_path / "lib", {"lib.py": "lib\n"}, below=".")
    for folder, url, path in ((lib, inner, "inner"), (source, lib, "app/lib")):
        git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(url), path)
        commit(folder)
    git(source, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    return source


WITH_LIB = TREE | {"lib/lib.py": "lib\n", "lib/inner/inner.py": "inner\n"}


def test_submodules_are_built_at_their_recorded_commits(with_submodule: Path, tmp_path: Path) -> None:
    found = built(with_submodule, tmp_path / "out")
    assert {name: text for name, text in found.items() if ".gitmodules" not in name} == WITH_LIB


def test_a_submodule_that_is_not_initialised_is_refused_in_gits_words(with_submodule: Path, tmp_path: Path) -> None:
    git(with_submodule, "submodule", "--quiet", "deinit", "--force", "app/lib")
    error = refusal(with_submodule, tmp_path / "out")
    assert "app/lib is not here at its recorded commit" in error.what
    assert "not a git repository" in error.why
    assert "git submodule update" in error.next_step


def test_a_submodule_that_lacks_the_recorded_commit_is_refused_in_gits_words(
    with_submodule: Path, tmp_path: Path
) -> None:
    git(with_submodule, "update-index", "--cacheinfo", f"160000,{'1' * 40},app/lib")
    git(with_submodule, "commit", "--quiet", "--message", "a commit that no clone has")
    error = refusal(with_submodule, tmp_path / "out")
    assert "not here at its recorded commit 111111111111" in error.what
    assert "1" * 40 in error.why


@pytest.mark.parametrize("dirty", ["changed", "untracked", "another commit"])
def test_a_submodule_that_differs_is_refused_though_configuration_hides_it(
    dirty: str, with_submodule: Path, tmp_path: Path
) -> None:
    git(with_submodule, "config", "diff.ignoreSubmodules", "all")
    git(with_submodule, "config", "submodule.app/lib.ignore", "all")
    write(with_submodule / "app/lib", {"new.py" if dirty == "untracked" else "lib.py": "not in the commit\n"})
    if dirty == "another commit":
        commit(with_submodule / "app/lib")
    assert "app/lib" in refusal(with_submodule, tmp_path / "out").what


def test_a_hidden_change_in_a_submodule_is_not_in_it(with_submodule: Path, tmp_path: Path) -> None:
    git(with_submodule / "app/lib", "update-index", "--assume-unchanged", "lib.py")
    write(with_submodule / "app/lib", {"lib.py": "changed here alone"})
    assert built(with_submodule, tmp_path / "out")["lib/lib.py"] == "lib\n"


def test_an_app_that_is_a_submodule_is_built(source: Path, tmp_path: Path) -> None:
    service = repository(tmp_path / "service", below=".")
    git(source, "rm", "-rq", "app")
    git(source, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(service), "app")
    commit(source)
    assert built(source, tmp_path / "out") == TREE


# ---- Git LFS

CONTENT = "weights of a model\n"
OID = hashlib.sha256(CONTENT.encode()).hexdigest()
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize {len(CONTENT)}\n"


def lfs(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A git-lfs on the PATH: `git lfs smudge` is answered by this script."""
    write(folder, {"git-lfs": f"#!/bin/sh\n{script}\n"})
    (folder / "git-lfs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'git: lfs is not a git command' >&2; exit 1", "not a git command"),
        ("cat; echo 'Error downloading object: no such remote' >&2; exit 2", "Error downloading object"),
        ("cat", "something else"),
    ],
)
def test_what_git_lfs_cannot_give_is_named(
    script: str, words: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(source / "app", {"model.bin": POINTER})
    commit(source)
    lfs(tmp_path / "bin", monkeypatch, script)
    error = refusal(source, tmp_path / "out")
    assert "model.bin" in error.what
    assert words in error.why


def test_what_git_lfs_gives_is_in_it(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(source / "app", {"model.bin": POINTER, "note.txt": POINTER + "a text about a pointer\n"})
    commit(source)
    lfs(tmp_path / "bin", monkeypatch, f"[ \"$1 $2 $3\" = 'smudge -- model.bin' ] && printf '{CONTENT[:-1]}\\n'")
    found = built(source, tmp_path / "out")
    assert found == TREE | {"model.bin": CONTENT, "note.txt": POINTER + "a text about a pointer\n"}


# ---- refused, in git's own words


def test_no_repository(tmp_path: Path) -> None:
    error = refusal(write(tmp_path / "plain", {"app/Dockerfile": "FROM scratch\n"}), tmp_path / "out")
    assert "not a git repository" in error.why


def test_no_such_folder(tmp_path: Path) -> None:
    assert "No such file or directory" in refusal(tmp_path / "nowhere", tmp_path / "out").why


def test_no_commit(tmp_path: Path) -> None:
    write(tmp_path / "new", {"app/Dockerfile": "FROM scratch\n"})
    git(tmp_path / "new", "init", "--quiet")
    assert "fatal:" in refusal(tmp_path / "new", tmp_path / "out").why


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_foreign_owner(source: Path, tmp_path: Path) -> None:
    for path in (source, source / ".git"):
        os.chown(path, 65534, 65534)
    error = refusal(source, tmp_path / "out")
    assert "dubious ownership" in error.why
    assert "safe.directory" in error.why


def test_no_git(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git cannot be run" in refusal(source, tmp_path / "out").what


def test_an_archive_unpacked_in_another_repository_is_not_that_repositorys_commit(source: Path, tmp_path: Path) -> None:
    write(source / "lane-1.0/app", TREE)
    error = refusal(source / "lane-1.0", tmp_path / "out")
    assert "has no folder lane-1.0/app" in error.what
    assert str(source / ".git") in error.what


def test_an_ignored_archive_neither(source: Path, tmp_path: Path) -> None:
    write(source, {".gitignore": "lane-*\n"})
    commit(source)
    write(source / "lane-1.0/app", TREE)
    assert "has no folder lane-1.0/app" in refusal(source / "lane-1.0", tmp_path / "out").what


def test_a_folder_of_a_larger_repository_is_built(source: Path, tmp_path: Path) -> None:
    write(source / "services/mine/app", TREE | {"service.py": "mine"})
    commit(source)
    write(source / "app", {"service.py": "changed, but not what is built"})
    assert built(source / "services/mine", tmp_path / "out") == TREE | {"service.py": "mine"}


def test_a_commit_without_a_dockerfile(source: Path, tmp_path: Path) -> None:
    git(source, "rm", "-q", "--cached", "app/Dockerfile")
    write(source, {".gitignore": "Dockerfile\n"})
    git(source, "add", ".gitignore")
    git(source, "commit", "--quiet", "--message", "none")
    assert "There is no app/Dockerfile in commit" in refusal(source, tmp_path / "out").what


# ---- the setting `app`


def test_another_folder_and_dockerfile_are_built(tmp_path: Path) -> None:
    files = {"docker/release.Dockerfile": "FROM scratch\n", "main.py": "main\n"}
    source = repository(tmp_path / "source", files, below="services/shop")
    write(source, {"other.txt": "changed, but not what is built"})
    app = App(folder="services/shop", dockerfile="docker/release.Dockerfile")
    assert built(source, tmp_path / "out", app) == files
    write(source / "services/shop", {"main.py": "changed"})
    assert "services/shop/ has changes that are in no commit" in refusal(source, tmp_path / "no", app).what


@pytest.mark.parametrize(("start", "folder"), [(".", "."), ("app", ".."), ("app", "../.")])
def test_the_whole_repository_is_built(start: str, folder: str, tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM scratch\n", "app/main.py": "main\n"}
    source = repository(tmp_path / "source", files, below=".")
    assert built(source / start, tmp_path / "out", App(folder=folder)) == files
    write(source, {"new.txt": "not committed"})
    assert "the repository has changes" in refusal(source / start, tmp_path / "no", App(folder=folder)).what


def test_submodules_of_a_repository_that_is_built_whole(with_submodule: Path, tmp_path: Path) -> None:
    found = built(with_submodule, tmp_path / "out", App(folder=".", dockerfile="app/Dockerfile"))
    assert found["app/lib/inner/inner.py"] == "inner\n"


def test_a_folder_outside_of_the_repository_is_refused(source: Path, tmp_path: Path) -> None:
    error = refusal(source / "app", tmp_path / "out", App(folder="../.."))
    assert "leads out of the repository" in error.what
    assert "setting `app`" in error.next_step


def test_a_dockerfile_that_is_elsewhere_is_missed_by_its_path(source: Path, tmp_path: Path) -> None:
    error = refusal(source, tmp_path / "out", App(folder=".", dockerfile="docker/Dockerfile"))
    assert error.what.startswith("There is no docker/Dockerfile in commit")
    assert "the setting `app`" in error.next_step


def test_a_changed_file(source: Path, tmp_path: Path) -> None:
    write(source / "app", {"service.py": "changed"})
    assert "app/service.py" in refusal(source, tmp_path / "out").what


def test_changes_outside_of_what_is_built_do_not_matter(source: Path, tmp_path: Path) -> None:
    write(source, {"README": "new"})
    assert built(source, tmp_path / "out") == TREE


def test_a_lost_object(source: Path, tmp_path: Path) -> None:
    blob = git(source, "rev-parse", "HEAD:app/service.py")
    (source / ".git/objects" / blob[:2] / blob[2:]).unlink()
    error = refusal(source, tmp_path / "out")
    assert "has not got the content of service.py" in error.what
    assert f"{blob} missing" in error.why


def test_a_blob_that_a_partial_clone_left_where_no_server_answers(source: Path, tmp_path: Path) -> None:
    git(source, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", "--no-checkout", f"file://{source}", "part")
    git(tmp_path / "part", "reset", "--quiet")
    git(tmp_path / "part", "sparse-checkout", "set", "--no-cone", "/nothing")
    git(tmp_path / "part", "checkout", "--quiet")
    shutil.move(source, tmp_path / "away")
    error = refusal(tmp_path / "part", tmp_path / "out")
    assert "has not got the content of" in error.what
    assert "fatal:" in error.why


def test_a_git_that_ends_between_two_files(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers the first question and reads no second one."""
    (tmp_path / "bin").mkdir()
    ends = f"""#!/bin/sh
case "$*" in *cat-file*) ;; *) exec {shutil.which("git")} "$@" ;; esac
read -r blob; exec <&-; echo "fatal: out of memory" >&2; printf "%s blob 0\\n\\n" "$blob"
"""
    (tmp_path / "bin/git").write_text(ends)
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    error = refusal(source, tmp_path / "out")
    assert "has not got the content of" in error.what
    assert error.why == "fatal: out of memory"


def test_no_room(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CloudError, match="could not be written") as caught:
        export(to_build(source), tmp_path / "file/out")
    assert "TMPDIR" in caught.value.next_step
