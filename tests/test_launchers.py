"""What starts processes: where its options end, what it starts, and what becomes of it over several nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate.engine import Plan, run
from migrate.inventory import take
from migrate.model import Invocation, Source
from migrate.runs.setup import make_plan
from migrate.tables.load import load, rules_folder
from migrate.tables.tables import tables
from migrate.topics.launchers.call_chain import starters

TABLES = tables(())


def launcher(line: str) -> Invocation:
    """The launcher of a one-line script."""
    job = take(Source("job.sh", f"#!/bin/bash\n{line}\n".encode()), TABLES)
    assert not job.gaps
    found = [i for part in job.parts() for r in part.commands for i in r.chain() if i.table is not None]
    return next(i for i in found if i.table is not None and i.table.kind == "launcher")


@pytest.mark.parametrize(
    ("line", "script"),
    [
        ("torchrun --nnodes 2 --nproc_per_node=8 --rdzv-endpoint $H:29500 train.py --epochs 3", "train.py"),
        ("python -u -m torch.distributed.launch --use_env --nproc_per_node 8 train.py --lr 1", "train.py"),
        (
            "python3 -W ignore -m torch.distributed.run --standalone \\\n  --nproc-per-node gpu -m pkg.train",
            "pkg.train",
        ),
        ("srun singularity exec a.sif python -m torch.distributed.run --nnodes=2 train.py", "train.py"),
        ("singularity exec a.sif bash -c 'python -m torch.distributed.launch --node_rank $R train.py'", "train.py"),
        ("deepspeed -H hosts --num_gpus 8 --launcher slurm --master_port 29501 train.py --deepspeed", "train.py"),
        ("accelerate launch --num_machines 2 --mixed_precision bf16 --use_fsdp train.py --a", "train.py"),
    ],
)
def test_the_script_of_a_framework_is_found_behind_its_options(line: str, script: str) -> None:
    found = launcher(line)
    assert found.operands[0].text == script
    assert all(o.row is not None for o in found.options)


@pytest.mark.parametrize(
    "line",
    [
        "mpirun -np 4 -hostfile h --map-by ppr:2:node:PE=4 -x A=1 -mca btl ^openib --bind-to core ./solver",
        "mpiexec.hydra -genv I_MPI_DEBUG 5 -ppn 2 -f hosts -bootstrap ssh -rmk pbs ./solver",
        "prterun --prtemca plm slurm --np 4 --map-by :OVERSUBSCRIBE ./solver",
        "mpirun_rsh -rsh -np 4 -hostfile h MV2_DEBUG=1 ./solver",
        "horovodrun -np 8 -H h1:4,h2:4 --mpi-args='--oversubscribe' ./solver",
        "ibrun -n 4 -o 0 ./solver",
    ],
)
def test_the_program_of_an_mpi_launcher_is_found_behind_its_options(line: str) -> None:
    found = launcher(line)
    assert [i.program_word.text for i in found.payload] == ["./solver"]
    assert all(o.row is not None for o in found.options)


def test_python_without_a_launcher_is_no_launcher() -> None:
    job = take(
        Source("job.sh", b"#!/bin/bash\npython -m pytest -m torch.distributed.launch\npython train.py -m x\n"), TABLES
    )
    assert "launcher-command" not in job.by_kind


# ------------------------------------------------------------------------------------------ mpirun as srun


def migrated(folder: Path, script: str, *, mpi: str = "pmix", rule: str = "") -> str:
    """The script on a target with this MPI type, with one private rule in force."""
    target = folder / "target.yaml"
    target.write_text(f"id: oak\ntitle: Oak\nextends: slinky\nmpi: {mpi}\n")
    if rule:
        (folder / "rules").mkdir()
        (folder / "rules" / "mend-interface.yaml").write_text(RULE + rule)
    result = run(Source("job.sh", script.encode()), make_plan(str(target), rules=(folder / "rules",) if rule else ()))
    assert result.fault == ""
    return result.output.decode()


RULE = """\
id: mend-interface
title: An interface
category: potential
safety: safe
sources: [any]
targets: [any]
why: It has another name.
message: "{value} has another name"
advice: Nothing to do.
links: [https://example.org/]
match: {item: environment, name: GLOO_SOCKET_IFNAME, value: oak0}
examples:
  - name: another
    unchanged: |
      export GLOO_SOCKET_IFNAME=eth0
  - name: this
    before: mpirun -x GLOO_SOCKET_IFNAME=oak0 a
    after: mpirun a
"""
TWO_NODES = "#!/bin/bash\n#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=4\n"


@pytest.mark.parametrize(
    ("rule", "env"),
    [
        ("", "env GLOO_SOCKET_IFNAME=oak0 B=2"),
        ("fix: {value: eth0}\n", "env GLOO_SOCKET_IFNAME=eth0 B=2"),
        ("fix: {remove: item}\n", "env B=2"),
    ],
    ids=["alone", "another rule changes the value", "another rule takes it out"],
)
def test_a_setting_of_mpirun_goes_along_whatever_another_rule_makes_of_it(rule: str, env: str, tmp_path: Path) -> None:
    line = "mpirun -np 8 -x GLOO_SOCKET_IFNAME=oak0 --bind-to none -x B=2 -x PATH singularity exec a.sif ./solver\n"
    new = f"srun --mpi=pmix --cpu-bind=none --ntasks=8 {env} singularity exec a.sif ./solver\n"
    assert migrated(tmp_path, TWO_NODES + line, rule=rule) == TWO_NODES + new


@pytest.mark.parametrize(
    "line",
    [
        "mpirun -x A=1 -np $SLURM_NTASKS singularity exec a.sif ./solver",
        "mpirun -np 8 --map-by socket:PE=4 singularity exec a.sif ./solver",
        "mpirun --mca rmaps_base_mapping_policy node singularity exec a.sif ./solver",
        "mpirun -np 8 --unheard-of singularity exec a.sif ./solver",
        "mpirun -np 8 -hostfile mine singularity exec a.sif ./solver",
        "mpirun_rsh -np 8 -hostfile h singularity exec a.sif ./solver",
        "horovodrun -np 8 -H $HOSTS singularity exec a.sif python train.py",
    ],
)
def test_mpirun_stays_whole_where_one_word_of_it_has_no_form(line: str, tmp_path: Path) -> None:
    script = f"{TWO_NODES}{line}\n"
    assert migrated(tmp_path, script) == script


def test_mpirun_stays_where_srun_has_no_mpi_type(tmp_path: Path) -> None:
    script = f"{TWO_NODES}mpirun singularity exec a.sif ./solver\n"
    assert migrated(tmp_path, script, mpi="none") == script


@pytest.mark.parametrize(
    "words",
    [
        "--mca plm rsh",
        "-x OMPI_MCA_plm=rsh",
        "-genv I_MPI_HYDRA_BOOTSTRAP ssh",
        "-genv I_MPI_HYDRA_BOOTSTRAP slurm",
        "-genv HYDRA_RMK=pbs",
    ],
)
def test_how_mpirun_reaches_other_nodes_goes_with_it(words: str, tmp_path: Path) -> None:
    line = "singularity exec a.sif ./solver\n"
    new = f"{TWO_NODES}srun --mpi=pmix --ntasks=8 {line}"
    assert migrated(tmp_path, f"{TWO_NODES}mpirun -np 8 {words} {line}") == new


def test_two_lines_that_share_a_variable_become_srun_together(tmp_path: Path) -> None:
    script = 'RUN="mpirun -np 8 -x A=1"\n$RUN singularity exec a.sif ./one\n$RUN singularity exec a.sif ./two\n'
    new = script.replace("mpirun -np 8 -x A=1", "srun --mpi=pmix --ntasks=8 env A=1")
    assert migrated(tmp_path, TWO_NODES + script) == TWO_NODES + new


def test_words_of_continued_lines_go_beside_each_other_by_several_rules(tmp_path: Path) -> None:
    known = tmp_path / "known.yaml"
    known.write_text("id: known\ntitle: A known network\nextends: slinky\nfabric: none\nmpi: pmix\n")
    header = "#!/bin/bash\n#SBATCH --nodes=2\n"
    script = f"{header}mpirun \\\n  -x A=1 \\\n  -x UCX_NET_DEVICES=mlx5_0:1 \\\n  -np 4 \\\n  -x PATH \\\n  ./solver\n"
    result = run(Source("job.sh", script.encode()), make_plan(str(known)))
    assert result.output.decode() == f"{header}srun --mpi=pmix --ntasks=4 env \\\n  A=1 \\\n  ./solver\n"


def test_modules_go_with_the_launcher_that_becomes_srun(tmp_path: Path) -> None:
    header = "#!/bin/bash\n#SBATCH --nodes=2\n"
    script = f"{header}module load intelmpi\nmpiexec.hydra -n 4 singularity exec a.sif ./solver\n"
    assert migrated(tmp_path, script) == f"{header}srun --mpi=pmix --ntasks=4 singularity exec a.sif ./solver\n"


@pytest.mark.parametrize(
    ("words", "new"),
    [
        ("-x NCCL_IB_HCA=mlx5_0 -np $N", "--ntasks=$N env"),
        (
            '-x NCCL_IB_HCA=mlx5_0 -np "$N" -x A=1 -npernode $((2 * K))',
            '--ntasks="$N" --ntasks-per-node=$((2 * K)) env A=1',
        ),
    ],
)
def test_a_number_in_a_variable_goes_before_the_settings(tmp_path: Path, words: str, new: str) -> None:
    known = tmp_path / "known.yaml"
    known.write_text("id: known\ntitle: A known network\nextends: slinky\nfabric: none\nmpi: pmix\n")
    header = "#!/bin/bash\n#SBATCH --nodes=2\n"
    result = run(Source("job.sh", f"{header}mpirun {words} ./solver\n".encode()), make_plan(str(known)))
    assert result.output.decode() == f"{header}srun --mpi=pmix {new} ./solver\n"


def test_a_number_in_a_variable_stays_in_the_variable_that_holds_the_options(tmp_path: Path) -> None:
    script = f'{TWO_NODES}OPTS="-x A=1 -np $N"\nmpirun $OPTS singularity exec a.sif ./solver\n'
    assert migrated(tmp_path, script) == script


def test_env_stands_behind_the_program_where_a_line_before_it_goes(tmp_path: Path) -> None:
    script = "mpirun \\\n  -rmk pbs \\\n  -x A=1 \\\n  singularity exec a.sif ./solver\n"
    new = "srun --mpi=pmix env \\\n  A=1 \\\n  singularity exec a.sif ./solver\n"
    assert migrated(tmp_path, TWO_NODES + script) == TWO_NODES + new


@pytest.mark.parametrize(
    "lines",
    [
        "mpirun -x NCCL_IB_HCA=mlx5_0 -np $SLURM_NTASKS ./solver\n",
        "OPTS='-x NCCL_IB_HCA=mlx5_0 -x UCX_NET_DEVICES=mlx5_0:1'\nmpirun $OPTS ./solver\n",
    ],
)
def test_settings_stay_where_without_them_mpirun_would_become_srun(lines: str, tmp_path: Path) -> None:
    known = tmp_path / "known.yaml"
    known.write_text("id: known\ntitle: A known network\nextends: slinky\nfabric: none\nmpi: pmix\n")
    result = run(Source("job.sh", f"{TWO_NODES}{lines}".encode()), make_plan(str(known)))
    assert (result.fault, result.output.decode()) == ("", TWO_NODES + lines)
    assert "unsuited-network-setting" in {o.finding.rule for o in result.outcomes}


@pytest.mark.parametrize(
    ("lines", "new"),
    [
        ("MPI=mpirun\n$MPI -x A=1 ./a\n", 'MPI="srun --mpi=pmix env"\n$MPI A=1 ./a\n'),
        ('MPI=mpirun\n$MPI -x A=1 -npernode "$N" ./a\n', None),
        ('bash -c "M=mpirun; \\$M ./a"\n', None),
    ],
)
def test_a_name_that_is_all_of_a_value_gets_quotes_where_they_fit(lines: str, new: str | None, tmp_path: Path) -> None:
    assert migrated(tmp_path, TWO_NODES + lines) == TWO_NODES + (new or lines)


# ------------------------------------------------------------------------------------------ tables


@pytest.mark.parametrize(
    "words", ["--bind-to board", "--bind-to", "--map-by ppr:2:node:OVERSUBSCRIBE", "--map-by numa"]
)
def test_mpirun_stays_where_a_value_is_in_no_table(words: str, tmp_path: Path) -> None:
    script = f"{TWO_NODES}mpirun {words} ./solver\n"
    assert migrated(tmp_path, script) == script


@pytest.mark.parametrize(
    ("words", "new"),
    [
        ("--bind-to none", "--cpu-bind=none"),
        ("--bind-to package", "--cpu-bind=sockets"),
        ("-binding numa", "--cpu-bind=ldoms"),
        ("--map-by node", "--distribution=cyclic"),
        ("--np 8 --map-by ppr:4:node", "--ntasks=8 --ntasks-per-node=4"),
        ("--np 8 --map-by ppr:4:node:PE=2", "--ntasks=8 --ntasks-per-node=4 --cpus-per-task=2"),
        ("--map-by ppr:2:package", "--ntasks-per-socket=2"),
        ("--map-by ppr:2:socket:pe=8", "--ntasks-per-socket=2 --cpus-per-task=8"),
    ],
)
def test_a_value_becomes_what_its_table_says(words: str, new: str, tmp_path: Path) -> None:
    line = "singularity exec a.sif ./solver\n"
    assert migrated(tmp_path, f"{TWO_NODES}mpirun {words} {line}") == f"{TWO_NODES}srun --mpi=pmix {new} {line}"


def test_every_variable_of_an_idiom_holds_the_word_by_which_it_is_found() -> None:
    rows = load(rules_folder() / "idioms.yaml", "idioms")["idioms"]
    named = [(name, row["word"]) for row in rows for name in row.get("variables", ())]
    assert named
    assert not [name for name, word in named if word not in name]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("pip install --user jupyter tensorboard", None),
        ("jupyter nbconvert --execute a.ipynb", None),
        ("rserver --version", None),
        ("jupyter lab", "`jupyter` listens on port 8888"),
        ("/opt/bin/openvscode-server --port=4000", "`openvscode-server` listens on port 4000"),
        ("code-server --bind-addr 0.0.0.0", "`code-server` listens on port 8080"),
        ('code-server --bind-addr="0.0.0.0:9000"', "`code-server` listens on port 9000"),
        ("rserver --www-port ${PORT:-8789}", "`rserver` listens on port 8789"),
    ],
)
def test_a_program_that_people_reach_is_told_with_its_port(line: str, told: str | None) -> None:
    script = f"#!/bin/bash\n#SBATCH --nodes=1\nPORT=${{PORT:-8789}}\nsingularity exec a.sif {line}\n"
    result = run(Source("job.sh", script.encode()), make_plan("slinky"))
    messages = [o.finding.message for o in result.outcomes if o.finding.rule == "served-port"]
    assert [m.partition(" of the node")[0] for m in messages] == ([told] if told else [])


# ------------------------------------------------------------------------------------------ what starts a command


@pytest.mark.parametrize(
    ("lines", "outer"),
    [
        ("$S", []),
        ("srun $S", ["srun"]),
        ("$S\nsrun $S", ["srun"]),  # the line in which something starts it counts, wherever it stands
        ("srun $S\n$S", ["srun"]),
        ("nohup $S\nmpirun -np 2 $S", ["mpirun"]),
        ("nohup $S\n$S", ["nohup"]),
    ],
)
def test_of_the_lines_that_run_a_variable_the_one_with_a_launcher_says_what_starts_it(
    lines: str, outer: list[str], slinky: Plan
) -> None:
    text = f"#!/bin/bash\nS='singularity exec --nv a.sif ls'\n{lines}\n"
    job = take(Source("job.sh", text.encode()), slinky.rulebook.tables)
    assert [inner.program for inner in starters(job, text.index("singularity"))] == outer
