"""A real Slurm configured from a target's file: a controller alone, which judges what jobs ask for."""

from __future__ import annotations

import re
import subprocess
import time

import lab

from migrate.model import Partition, Target
from migrate.values import seconds

MODEL = lab.Cluster("model")
FOLDER = lab.LAB / "model"
_OWN = re.compile(r"(?:SelectType|NodeName|PartitionName|ClusterName|SlurmctldPort|FirstJobId|MaxArraySize)=")
_COUNTED = {"cons_tres": "CR_Core_Memory", "linear": "CR_Memory"}


def start(target: Target) -> None:
    """Bring up the controller as this target says, or raise AssertionError with the end of its log."""
    stop()  # one that an interrupted run left
    configure(target)
    environment = {"PATH": f"{lab.LAB / 'slurm/usr/bin'}:{lab.LAB / 'slurm/usr/sbin'}:{lab.SYSTEM_PATH}"}
    command = [lab.LAB / "slurm/usr/sbin/slurmctld", "-c", "-f", FOLDER / "slurm.conf"]
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    for _ in range(300):
        if MODEL.answers():
            return
        time.sleep(0.1)
    raise AssertionError((FOLDER / "log/slurmctld.log").read_text()[-2000:])


def stop() -> None:
    """End the controller that was started; its own pid file names it."""
    if not (FOLDER / "slurm.conf").exists():
        return  # none was ever started: without a file Slurm's commands look for a controller in DNS, for two minutes
    scontrol = lab.LAB / "slurm/usr/bin/scontrol"
    subprocess.run([scontrol, "shutdown", "slurmctld"], env=MODEL.environment, check=False, capture_output=True)
    for _ in range(300):
        if not MODEL.answers():
            return
        time.sleep(0.1)


def configure(target: Target) -> None:
    """Write slurm.conf and gres.conf: the judge's settings, with the target's nodes, partitions and limits."""
    for name in ("state", "spool", "log"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
    judge = (lab.LAB / "judge/slurm.conf").read_text().replace(str(lab.LAB / "judge"), str(FOLDER))
    port = re.search(r"^SlurmctldPort=(\d+)$", judge, re.MULTILINE)
    assert port
    lines = [line for line in judge.splitlines() if not _OWN.match(line)]
    lines += ["ClusterName=model", f"SlurmctldPort={int(port[1]) + 1000}", "FirstJobId=700000"]
    lines += [f"SelectType=select/{target.select_type}", f"SelectTypeParameters={_COUNTED[target.select_type]}"]
    lines += [f"MaxArraySize={target.max_array_index + 1}"]
    for partition in target.partitions.values():
        default = partition.name == target.default_partition
        lines += [node_line(partition), partition_line(partition, target.select_type, default=default)]
    (FOLDER / "slurm.conf").write_text("\n".join(lines) + "\n")
    (FOLDER / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    (FOLDER / "gres.conf").write_text(
        "".join(
            f"NodeName={nodes_of(p)} Name=gpu Type={p.gpu_type} Count={p.gpus}\n"
            for p in target.partitions.values()
            if p.gpus
        )
    )


def nodes_of(partition: Partition) -> str:
    return f"{partition.name}[1-{partition.nodes}]"


def node_line(partition: Partition) -> str:
    gres = f" Gres=gpu:{partition.gpu_type}:{partition.gpus}" if partition.gpus else ""
    return (
        f"NodeName={nodes_of(partition)} State=CLOUD SocketsPerBoard=1 CoresPerSocket={partition.cpus} "
        f"RealMemory={partition.memory}{gres}"
    )


def partition_line(partition: Partition, select_type: str, *, default: bool) -> str:
    limit = seconds(partition.max_time or "unlimited")
    assert limit is not None
    words = [
        f"PartitionName={partition.name}",
        f"Nodes={nodes_of(partition)}",
        f"MaxTime={'UNLIMITED' if limit == float('inf') else int(limit) // 60}",
        f"MaxNodes={partition.max_nodes or 'UNLIMITED'}",
        f"Default={'YES' if default else 'NO'}",
    ]
    if partition.default_memory_per_gpu:
        words.append(f"DefMemPerGPU={partition.default_memory_per_gpu}")
    if partition.share == "exclusive" and select_type != "linear":  # which gives whole nodes by itself
        words.append("OverSubscribe=EXCLUSIVE")
    return " ".join(words)
