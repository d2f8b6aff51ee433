"""GitHub's workflows, as far as they can be tried here: what they run is there, and they have the rights they need.

`make check` lints them (GitHub's schema, zizmor); these tests know what is ours: targets, artifacts, roles.
"""

from __future__ import annotations

import functools
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from deploy.permission import OPEN
from shared.contracts import naming
from shared.contracts.card import PYTHON
from tests.house.test_documents import MAKEFILE, TARGETS, VARIABLES
from tests.kit.synthesis import ROOT

FOLDER = ROOT / ".github" / "workflows"
TRUSTED_OWNERS = {"actions", "aws-actions"}
PIPELINE = "deploy", "rollback"


class Job(NamedTuple):
    workflow: str
    name: str
    body: dict[str, Any]

    @property
    def steps(self) -> list[dict[str, Any]]:
        return self.body.get("steps", [])

    @property
    def runs(self) -> list[str]:
        return [step["run"] for step in self.steps if "run" in step]


def read(file: Path) -> dict[str, Any]:
    """A workflow; YAML takes its `on` for a truth."""
    body: dict[Any, Any] = yaml.safe_load(file.read_text())
    return {"on" if key is True else key: value for key, value in body.items()}


WORKFLOWS = {file.stem: read(file) for file in sorted(FOLDER.glob("*.yml"))}
JOBS = [Job(name, key, body) for name, each in WORKFLOWS.items() for key, body in each["jobs"].items()]
each_job = pytest.mark.parametrize("job", JOBS, ids=lambda job: f"{job.workflow}-{job.name}")


def signed_in(job: Job) -> list[str]:
    """The roles that the job takes."""
    return [step["with"]["role-to-assume"] for step in job.steps if "role-to-assume" in step.get("with", {})]


# --- what is run ------------------------------------------------------------------------------------------------


@each_job
def test_a_step_runs_one_command_that_runs_on_a_laptop_too(job: Job) -> None:
    for run in job.runs:
        assert "\n" not in run.strip(), "logic belongs into the Makefile, where it can be tried"
        program, *words = shlex.split(run)
        if program == "make":
            for word in words:
                name, given, _ = word.partition("=")
                assert name in (VARIABLES if given else TARGETS), run
        else:
            assert (job.workflow, job.name) == ("compare", "comment") and program in ("cat", "gh"), run
        assert "${{" not in run, "what GitHub fills in would be read as a program"


MODULES = {"check-jsonschema": "check_jsonschema", "cyclonedx-py": "cyclonedx_py", "pip-audit": "pip_audit"}


def started(program: str) -> list[str]:
    """How a tool of this Python is started here: a script names the Python of the folder that it was installed in."""
    if program in MODULES:
        return [sys.executable, "-m", MODULES[program]]
    return [str(Path(sys.executable).with_name(program))]


@functools.cache
def dry(*words: str) -> str:
    """What make would run."""
    made = ["make", "--dry-run", "--no-print-directory", "--old-file", "setup", "ENVIRONMENT=dev", *words]
    return subprocess.run(made, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def of_make(jobs: list[Job]) -> set[tuple[str, ...]]:
    return {tuple(shlex.split(run)[1:]) for job in jobs for run in job.runs if run.startswith("make ")}


@pytest.mark.parametrize("words", sorted(of_make(JOBS)), ids=" ".join)
def test_what_make_runs_is_there(words: tuple[str, ...]) -> None:
    """Every program that a target runs, and of ours every option too."""
    text = re.sub(r"\\\n", " ", dry(*words))
    found = 0
    for module, rest in re.findall(r"python -m ([\w.]+)([^\n;&|)]*)", text):
        if module.startswith(("deploy", "catalogue", "tests.kit")):
            wanted = set(re.findall(r"(--[a-z-]+)", rest)) if module != "deploy.permission" else set()
            assert wanted <= _options(module), (module, rest)
            found += 1
    for program in re.findall(r"\.venv/bin/([\w-]+)", text):
        assert program == "python" or shutil.which(program, path=str(ROOT / ".venv" / "bin")), program
        found += 1
    assert found or words[0] in ("setup", "unpack")


OPTIONS: dict[str, set[str]] = {}


def _options(module: str) -> set[str]:
    if module not in OPTIONS:
        asked = [sys.executable, "-m", module, "--help"]
        said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout
        OPTIONS[module] = set(re.findall(r"--[a-z][a-z-]*", said))
    return OPTIONS[module]


@pytest.mark.parametrize(
    ("program", "target"),
    [("pip-audit", "audit"), ("cyclonedx-py", "sbom"), ("zizmor", "check"), ("check-jsonschema", "check")],
)
def test_tools_of_others_know_the_options_that_they_are_given(program: str, target: str) -> None:
    lines = re.findall(rf"bin/{program} ([^|;\n]*)", re.sub(r"\\\n", " ", dry(target)))
    wanted = {option for line in lines for option in re.findall(r"--[a-z-]+", line)}
    asked = [*started(program), *(["requirements"] if program == "cyclonedx-py" else []), "--help"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert wanted and wanted <= set(re.findall(r"--[a-z][a-z-]*", said)), wanted


def test_what_is_shipped_is_listed_with_hashes(tmp_path: Path) -> None:
    (command,) = re.findall(r"\$\(BIN\)/(cyclonedx-py requirements [^\n]*?)\\?\n", MAKEFILE)
    out = tmp_path / "base.json"
    words = [*shlex.split(command.rstrip("\\ ")), "-o", str(out), "requirements/lambda-base.lock"]
    subprocess.run([*started(words[0]), *words[1:]], cwd=ROOT, capture_output=True, check=True)
    listed = yaml.safe_load(out.read_text())["components"]
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "lambda-base.lock").read_text(), re.M)
    assert sorted(each["name"] for each in listed) == sorted(locked)
    assert all(each["externalReferences"][0]["hashes"] for each in listed)


def test_what_one_job_packs_another_unpacks_as_it_was(tmp_path: Path) -> None:
    """An artifact of GitHub's loses which files are executable."""
    made = tmp_path / "made" / "dev" / "asset.1" / "bin"
    made.mkdir(parents=True)
    (made / "tool").write_text("#!/bin/sh\n")
    (made / "tool").chmod(0o755)
    (tmp_path / "build").mkdir()
    packing = re.search(r"tar -cf build/assembly-\$\(ENVIRONMENT\)\.tar -C build/assembly \$\(ENVIRONMENT\)", MAKEFILE)
    assert packing
    subprocess.run(["tar", "-cf", "build/assembly-dev.tar", "-C", "made", "dev"], cwd=tmp_path, check=True)
    subprocess.run(["make", "-s", "-f", str(ROOT / "Makefile"), "unpack"], cwd=tmp_path, check=True)
    tool = tmp_path / "build" / "assembly" / "dev" / "asset.1" / "bin" / "tool"
    assert tool.stat().st_mode & 0o111


# --- what is used -----------------------------------------------------------------------------------------------


def used() -> Iterator[tuple[str, str]]:
    """Every action with what is behind it on its line."""
    for file in FOLDER.glob("*.yml"):
        yield from re.findall(r"uses: (\S+)(.*)", file.read_text())


def test_actions_are_pinned_by_commit_and_of_two_owners() -> None:
    pinned: dict[str, set[str]] = {}
    for action, comment in used():
        if action.startswith("./"):
            assert (ROOT / action).is_file()
            continue
        name, _, commit = action.partition("@")
        assert name.split("/")[0] in TRUSTED_OWNERS, name
        assert re.fullmatch(r"[0-9a-f]{40}", commit) and re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action + comment
        pinned.setdefault(name, set()).add(commit + comment)
    assert len(pinned) == 5 and all(len(each) == 1 for each in pinned.values()), pinned
    documented = (ROOT / "docs" / "decisions" / "delivery.md").read_text()
    for name, (commit,) in pinned.items():
        assert f"| {name} | {commit.partition('# ')[2]} | `{commit.partition(' ')[0]}` |" in documented


def test_python_is_lambdas_own() -> None:
    versions = {
        step["with"]["python-version"] for job in JOBS for step in job.steps if "python-version" in step.get("with", {})
    }
    assert versions == {PYTHON}
    for job in JOBS:
        if any(run.startswith("make ") for run in job.runs):
            assert any("setup-python" in step.get("uses", "") for step in job.steps), job


def called(workflow: str) -> list[str]:
    """The workflows of which a run of this one consists, itself included."""
    inner = [job["uses"] for job in WORKFLOWS[workflow]["jobs"].values() if "uses" in job]
    return [workflow, *(name for each in inner for name in called(Path(each).stem))]


@pytest.mark.parametrize("workflow", ["compare", "deliver"])
def test_what_a_job_downloads_a_job_before_it_has_uploaded(workflow: str) -> None:
    jobs = [job for job in JOBS if job.workflow in called(workflow)]

    def named(action: str) -> set[str]:
        names = [
            step["with"].get("name") or step["with"]["pattern"]
            for job in jobs
            for step in job.steps
            if action in step.get("uses", "")
        ]
        return {re.sub(r"\$\{\{ inputs\.environment \}\}", env, name) for name in names for env in ("dev", "prod")}

    uploaded, downloaded = named("/upload-artifact"), named("/download-artifact")
    assert {name for name in downloaded if name not in uploaded} <= {"diff-*"}
    assert {"layers", "assembly-dev", "assembly-prod"} <= downloaded


@each_job
def test_what_is_uploaded_is_what_make_makes(job: Job) -> None:
    for at, step in enumerate(job.steps):
        if "/upload-artifact" in step.get("uses", ""):
            before = [each["run"] for each in job.steps[:at] if "run" in each]
            made = "".join(dry(*shlex.split(run)[1:]) for run in before if run.startswith("make "))
            environment = step["with"]["path"].rpartition("-")[2].partition(".")[0]
            assert step["with"]["path"] in made.replace("dev", environment), step["with"]["path"]
            assert step["with"]["if-no-files-found"] == "error"


# --- who may what -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_is_allowed_that_a_job_does_not_ask_for(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {}
    assert not {"pull_request_target", "workflow_run"} & set(workflow["on"])
    assert "secrets" not in (FOLDER / f"{name}.yml").read_text(), "there is nothing to keep secret"


@each_job
def test_a_job_has_the_rights_of_what_it_does(job: Job) -> None:
    wanted: set[str] = set()
    if "uses" in job.body:
        inner = [each for each in JOBS if each.workflow in called(Path(job.body["uses"]).stem)]
        wanted = {right for each in inner for right in each.body["permissions"]}
    else:
        assert job.body["timeout-minutes"] <= 180 and job.body["runs-on"] == "ubuntu-24.04"
        wanted |= {"contents"} if any("/checkout" in step.get("uses", "") for step in job.steps) else set()
        wanted |= {"id-token"} if signed_in(job) else set()
        wanted |= {"actions"} if any("rollback" in run for run in job.runs) else set()
        wanted |= {"pull-requests"} if any(run.startswith("gh pr comment") for run in job.runs) else set()
    assert set(job.body["permissions"]) == wanted
    writing = {right for right, level in job.body["permissions"].items() if level == "write"}
    assert writing <= {"id-token", "pull-requests"}


@each_job
def test_a_checkout_keeps_no_token_and_a_job_with_rights_runs_what_is_merged(job: Job) -> None:
    checkouts = [step["with"] for step in job.steps if "/checkout" in step.get("uses", "")]
    assert all(each["persist-credentials"] is False for each in checkouts)
    if "pull_request" in WORKFLOWS[job.workflow]["on"] and (
        signed_in(job) or "write" in job.body["permissions"].values()
    ):
        assert all(each["ref"] == "${{ github.event.pull_request.base.sha }}" for each in checkouts)


@each_job
def test_the_roles_are_those_that_stand(job: Job) -> None:
    for role in signed_in(job):
        account, name = re.fullmatch(r"arn:aws:iam::(\$\{\{ [\w.]+ \}\}):role/(.+)", role).groups()  # type: ignore[union-attr]
        if job.workflow == "compare":
            assert name == naming.DIFF_ROLE
            assert account == f"${{{{ vars.{job.name.upper()}_ACCOUNT }}}}"
            assert f"make diff ENVIRONMENT={job.name}" in job.runs
            continue
        for env in ("dev", "prod"):
            filled = re.sub(r"\$\{\{ inputs\.environment \}\}", env, name)
            filled = re.sub(r"\$\{\{ (inputs\.region|env\.REGION) \}\}", "eu-west-1", filled)
            assert filled in (naming.deploy_role(env), naming.verify_role(env, "eu-west-1"))


@each_job
def test_who_deploys_is_of_githubs_environment_and_alone_there(job: Job) -> None:
    deploys = any(word in run for run in job.runs for word in ("make release", "make rollback"))
    assert deploys == (job.workflow in PIPELINE)
    if deploys:
        assert job.body["environment"] == job.body["env"]["ENVIRONMENT"] == "${{ inputs.environment }}"
        assert job.body["concurrency"] == {"group": "deploy-${{ inputs.environment }}", "cancel-in-progress": False}
        assert job.runs[-1] == "make verify"


def test_prod_comes_after_dev_and_after_every_check() -> None:
    jobs = WORKFLOWS["deliver"]["jobs"]
    assert set(jobs["dev"]["needs"]) == {"check", "assemble"} and jobs["prod"]["needs"] == "dev"
    assert [jobs[env]["with"]["environment"] for env in ("dev", "prod")] == ["dev", "prod"]
    assert WORKFLOWS["deliver"]["on"] == {"push": {"branches": ["main"]}}
    assert "make test" in [run for job in JOBS if job.workflow == "check" for run in job.runs]
    assert "prod" not in OPEN


def test_what_fails_after_the_release_is_rolled_back_and_verified_again() -> None:
    (job,) = (job for job in JOBS if job.workflow == "deploy")
    back = [step for step in job.steps if "failure()" in step.get("if", "")]
    assert [step.get("run") for step in back] == [None, "make rollback", None, "make verify"]
    assert all("steps.release.outcome != 'skipped'" in step["if"] for step in back[:2])
    assert all("steps.rollback.outcome == 'success'" in step["if"] for step in back[2:])
    assert {step.get("id") for step in job.steps} >= {"release", "rollback"}


# --- the linters see what they are there for --------------------------------------------------------------------

FAULTS = {
    "template-injection": ("run: make test", "run: echo ${{ github.event.pull_request.title }}"),
    "unpinned-uses": ("@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "@v6"),
    "artipacked": ("persist-credentials: false", "fetch-depth: 1"),
    "excessive-permissions": ("permissions:\n      contents: read", "permissions: write-all"),
    "timeout-minuts": ("timeout-minutes: 90", "timeout-minuts: 90"),
}
"""By what is complained of: a fault that is put in place of what is right."""


def test_the_linters_of_make_check_see_faults(tmp_path: Path) -> None:
    """That they have nothing to say of the workflows as they are is what `make check` itself shows."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    right = (FOLDER / "check.yml").read_text()
    for complaint, (what, instead) in FAULTS.items():
        assert what in right
        (folder / f"{complaint}.yml").write_text(right.replace(what, instead))
    lines = re.findall(r"^\t@\$\(BIN\)/((?:zizmor|check-jsonschema) .*)$", MAKEFILE, re.M)
    said = ""
    for program, *words in map(str.split, lines):
        files = [str(file) for word in words if word.startswith(".github") for file in tmp_path.glob(word)]
        options = [word for word in words if not word.startswith(".github")]
        if files:
            command = [*started(program), *options, *files]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode, program
            said += done.stdout + done.stderr
    for complaint in FAULTS:
        assert re.search(rf"{complaint}\b(?!\.yml)", said), complaint
