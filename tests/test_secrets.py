"""No report holds a secret of a script, wherever in the script it stands and whatever the format."""

from __future__ import annotations

import json
import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.engine import run
from migrate.model import Report, Source
from migrate.reports import FORMATS, Style
from migrate.reports.secrets import Mask, mask_of
from migrate.runs.setup import make_plan
from migrate.tables.load import load, rules_folder

TABLE = load(rules_folder() / "secrets.yaml", "secrets")
PLANS = {name: make_plan(name) for name in ("slinky", "slinky-pyxis")}
READABLE = [name for name, form in FORMATS.items() if not form.verbatim]

PLACES = [
    "docker pull docker://user:{}@reg.example.org/x",
    "docker run docker://user:{}@reg.example.org/x ls",
    "singularity exec docker://user:{}@reg.example.org/x:1 ls",
    "singularity pull a.sif docker://user:{}@reg.example.org/x:1",
    "docker login -u me -p {} reg.example.org",
    "docker login -p{} reg.example.org",
    'docker login --username me --password "{}" reg.example.org',
    "docker login --password={} reg.example.org",
    "echo {} | docker login -u me --password-stdin reg.example.org",
    "podman login -u me \\\n  -p '{}' \\\n  reg.example.org",
    "singularity remote login -u me -p {} docker://reg.example.org",
    "apptainer registry login --username me --password {} docker://reg.example.org",
    "singularity exec --docker-username me --docker-password {} docker://a/b:1 ls",
    "export SINGULARITY_DOCKER_PASSWORD={}\nsingularity pull docker://a/b:1",
    "export DB_PASS={}",
    "MYPASS={} srun python x.py",
    "DBPW={}",
    "export SINGULARITYENV_DBPASS='{}'",
    "export APPTAINERENV_DB_PASS={}",
    "SINGULARITYENV_TOKEN={} singularity exec a.sif ls",
    "export HF_TOKEN={}",
    "declare -x HF_TOKEN={}",
    "export AWS_SECRET_ACCESS_KEY={}",
    "export MYSQL_PWD={}",
    "export https_proxy=http://me:{}@proxy.example.org:3128",
    "export WANDB_API_KEY={}; srun python x.py",
    "wandb login {}",
    "wandb login --relogin {}",
    "huggingface-cli login --token {}",
    "sshpass -p {} ssh node1 hostname",
    "sshpass -p{} scp a node1:",
    "curl -u me:{} https://example.org/x",
    "curl --user 'me:{}' https://example.org/x",
    'curl -H "API_TOKEN: {}" https://example.org/x',
    'curl -H "Authorization: Bearer {}" https://example.org/x',
    "curl -H 'Authorization: token {}' https://example.org/x",
    'docker run a/b:1 curl -H "X-Auth-Token: {}" https://example.org/x',
    "git clone https://me:{}@git.example.org/a/b.git",
    "mysql -u root -p{} -e x",
    "srun --export=ALL,A_TOKEN={} singularity exec a.sif ls",
    "docker run --env A_TOKEN={} -e B=c a/b:1 ls",
    "docker run -e DB_PASSWORD='{}' a/b:1 ls",
    "singularity exec --env DB_PASS={},B=c a.sif ls",
    "singularity run --env=A_SECRET={} library://a/b:1",
    "sbatch --export=A_TOKEN={} a.sh",
    "#SBATCH --export=A_TOKEN={}",
    "#SBATCH --comment=token={}",
    "bash -c 'export A_TOKEN={}; docker run a/b:1'",
    'sbatch --wrap="docker login -p {} x"',
    'CMD="docker run -e A_TOKEN={} a/b:1"\n$CMD ls',
    'ARGS=(-e A_TOKEN={})\ndocker run "${{ARGS[@]}}" a/b:1 ls',
    "cat > .env <<EOF\nDB_PASS={}\nB=c\nEOF\ndocker run --env-file .env a/b:1 ls",
    "cat > job.sh <<'EOF'\n#!/bin/bash\n#SBATCH -p gp1d\nexport DB_PASS={}\ndocker login -p {} x\nEOF",
    'cat > c.json <<EOF\n{{"password": "{}"}}\nEOF',
    "curl -d '{{\"api_key\": \"{}\"}}' https://example.org",
    'curl -d "{{\\"password\\": \\"{}\\"}}" https://example.org',
    "python x.py --api-key {} --lr 1",
    "setenv DB_PASS {}",
    "setenv WANDB_API_KEY '{}'",
    "cat > ~/.netrc <<EOF\nmachine api.example.org login me password {}\nEOF",
    "cat > Dockerfile <<EOF\nENV HF_TOKEN {}\nEOF",
    "export DB_PASS={}\r",
    "singularity exec a.sif python x.py --password={}",
    "# sifmigrate: ignore[drop-container-module] token={}\nmodule load singularity",
    "module load singularity  # sifmigrate: ignore[drop-container-module] password={}",
    "sbatch -A {} a.sh  # password={}",
    "cd /opt/ohpc/{}\nexport X_TOKEN={}",
    "export TOKEN={}\nsrun singularity exec $(echo '{}'",
]  # fmt: skip
SECRETS = [
    "Zq8rT2vK1xWm",
    "s3cr3tValueThatIsLong",
    "kw7Qz9",
    "a1b2c3d4e5f60718",
    "Pa55w0rd,x",
    "x9@Yk2#mm",
    "Zq8/rT2+vK1xW==",
]


def reports(script: str, target: str = "slinky") -> dict[str, str]:
    plan = PLANS[target]
    result = run(Source("job.sh", script.encode()), plan)
    rules = {rule.id: rule.text for rule in plan.rulebook.rules}
    report = Report(plan.target, (result,), (), rules)
    styles = [Style(verbose=True, width=4000), Style(verbose=True, color=True, terminal=True, width=4000)]
    return {f"{name} {n}": FORMATS[name](report, style) for name, (n, style) in product(READABLE, enumerate(styles))}


def leaks(script: str, secret: str, target: str = "slinky") -> list[str]:
    texts = reports(script, target)
    seen = {name: re.sub(r"\x1b\[[0-9;]*m", "", text) for name, text in texts.items()}
    seen |= {f"{name} plain": re.sub(r"\\([^\w\s])", r"\1", text) for name, text in seen.items() if "markdown" in name}
    seen |= {
        f"{name} read": json.dumps(json.loads(text), ensure_ascii=False)
        for name, text in seen.items()
        if "json" in name
    }
    return [name for name, text in seen.items() if secret in text]


HARD = re.compile(r"[^a-zA-Z0-9]")
# places where such characters end the value, or where it must be written otherwise
PLAIN_ONLY = re.compile(r"://|-u me|user 'me|,B=c|ALL,|A_TOKEN=|#|/opt|Bearer|token \{")


def script_with(place: str, secret: str) -> str:
    """A script with the secret in its place, and where a report quotes it and nothing tells what it is."""
    line = place.replace("{}", secret).replace("{{", "{").replace("}}", "}")
    quoted = "" if HARD.search(secret) else f"singularity exec /opt/ohpc/{secret}/a.sif ls\n"
    return f"#!/bin/bash\n#SBATCH -p gp1d\n#SBATCH -A MST1\n{quoted}{line}\n"


@pytest.mark.parametrize("target", PLANS)
@pytest.mark.parametrize("place", PLACES)
def test_no_report_holds_a_secret_whatever_its_place(place: str, target: str) -> None:
    for secret in SECRETS:
        if not (HARD.search(secret) and PLAIN_ONLY.search(place)):
            assert leaks(script_with(place, secret), secret, target) == [], secret


def test_a_text_that_nothing_names_stands_in_each_report() -> None:
    assert len(leaks(script_with("ls {}", "Zq8rT2vK1xWm"), "Zq8rT2vK1xWm")) > len(READABLE)


@pytest.mark.parametrize("name", sorted({*TABLE["names"]} - {"pwd"}))
@pytest.mark.parametrize(
    "form", ["export MY_{}={}", "X{}={}", "docker run -e A_{}={} a/b:1", "srun x --my-{} {}", "curl -H 'X-{}: {}'"]
)
def test_each_name_of_the_table_names_a_secret(name: str, form: str) -> None:
    named = name.replace("-", "_").upper() if "=" in form else name
    for secret in ("Zq8rT2vK1xWm", "kw7Qz9"):
        assert leaks(f"#!/bin/bash\n#SBATCH -p gp1d\n{form.format(named, secret)}\n", secret) == []


@pytest.mark.parametrize("row", TABLE["commands"], ids=lambda row: row["programs"][0])
def test_each_command_of_the_table_holds_a_secret(row: dict[str, object]) -> None:
    for program, option in product(row["programs"], row.get("options", [""])):  # type: ignore[call-overload]
        value = f"me{row['behind']}Zq8rT2vK1xWm" if "behind" in row else "Zq8rT2vK1xWm"
        for glue in (" ", "=") if str(option).startswith("--") else (" ", ""):
            line = " ".join(filter(None, [program, row.get("verb"), f"{option}{glue}{value}", "x"]))
            assert leaks(f"#!/bin/bash\n#SBATCH -p gp1d\n{line}\n", "Zq8rT2vK1xWm") == [], line


@pytest.mark.parametrize(
    "word",
    ["'Zq8r'T2vK1xWm", 'Zq8r"T2vK1xWm"', "\"Zq8r\"'T2vK'1xWm", "Zq8r\\T2vK1xWm", "$'Zq8rT2vK1xWm'", '"Zq8rT2vK1xWm"'],
)
def test_a_secret_in_quotes_is_one_wherever_they_stand(word: str) -> None:
    for form in (
        "export DB_PASS={}",
        "docker login -p {} x",
        "docker run -e A_TOKEN={} a/b:1 ls",
        "curl --user me:{} x",
    ):
        script = f"#!/bin/bash\n#SBATCH -p gp1d\n{form.format(word)}\n"
        for piece in ("T2vK1xWm", "Zq8rT2vK1xWm"):
            assert leaks(script, piece) == [], form


@pytest.mark.parametrize(
    "line",
    [
        "PWD=/work/x",
        "cd $OLDPWD; OLDPWD=/work/abc",
        "docker run -p 8080:80 a/b:1 ls",
        "docker login reg.example.org && docker run -p 8080:80 a/b:1",
        "ssh -p 2222 node1",
        "curl -o file https://example.org/x",
        "export DB_PASS=$MY_PASS HF_TOKEN=$(cat file) A_TOKEN=`cat file` B_TOKEN=${X:-}",
        "# the password is hunter, the token was theirs",
        "MAX_TOKENS=1024",
        "sort --key=name --sort-key=name",
        "export BYPASS=cache COMPASS=north",
        "srun --export=ALL,PATH=/a/b,LANG=C ls",
        "mysql --host=db.example.org",
        "wandb offline",
    ],
)
def test_what_is_no_secret_is_not_cut(line: str) -> None:
    mask = mask_of(f"#!/bin/bash\n{line}\n".encode())
    assert mask.secrets == frozenset()
    assert mask.words(line) == line


def test_words_of_the_script_stay_as_they_are_where_a_secret_is_short() -> None:
    mask = mask_of(b"docker login -p gp1d x\n")
    assert mask("partition gp1d, gp1db and xgp1d") == "partition …, gp1db and xgp1d"


@given(st.text(alphabet="abZ19=: -'\"\\$\n{}()@/|;", max_size=40))
@settings(max_examples=300, deadline=None)
def test_what_is_masked_is_masked_once(text: str) -> None:
    mask = mask_of(f"export A_TOKEN=Zq8rT2vK1xWm\n{text}".encode())
    once = mask.words(f"Zq8rT2vK1xWm {text}")
    assert "Zq8rT2vK1xWm" not in once
    assert mask.words(once) == once


def test_a_diff_can_be_applied_and_is_not_masked() -> None:
    script = b"#!/bin/bash\n#SBATCH -p gp1d\nexport A_TOKEN=Zq8rT2vK1xWm\n"
    result = run(Source("job.sh", script), PLANS["slinky"])
    assert b"A_TOKEN=Zq8rT2vK1xWm" in result.output
    assert "A_TOKEN=Zq8rT2vK1xWm" in FORMATS["diff"](Report(PLANS["slinky"].target, (result,), (), {}))


def test_the_work_of_masking_does_not_grow_with_the_number_of_secrets() -> None:
    looked = [0, 0]

    class Counted(frozenset[str]):
        def __contains__(self, key: object) -> bool:
            looked[-1] += 1
            return super().__contains__(key)

    for number, many in enumerate((50, 5000)):
        looked.append(0)
        secrets = Counted(f"s{n:08}" for n in range(many))
        assert Mask(secrets)("and s00000007 is s99999999") == "and … is s99999999"
        looked[number] = looked.pop()
    assert looked[0] == looked[1] > 0


def test_a_long_secret_is_cut_to_its_end() -> None:
    secret = "Zq8rT2vK1xWm" * 20
    assert mask_of(f"export A_TOKEN={secret}\n".encode())(f"it is {secret} here") == "it is Zq8r… here"
