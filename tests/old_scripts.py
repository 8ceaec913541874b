"""Job scripts of Grid Engine, PBS Pro, Torque and LSF for property tests, in all the ways in which they are written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from hypothesis import strategies as st
from scripts import comments, damaged, statements

# --------------------------------------------------------------------------------------------- directives

_GRID_ENGINE = [
    *(
        "-N fit",
        "-Nfit",
        '-N "my fit"',
        "-cwd",
        "-wd /work/u/run",
        "-wd $HOME/run",
        "-V",
        "-j y",
        "-j n",
        "-jy",
        "-b y",
    ),
    *("-o log/", "-o log", "-o out.txt", "-o $JOB_NAME.o$JOB_ID", "-o host:/work/o", "-o $HOME/o.$TASK_ID", "-o ~/x"),
    *(
        "-e err.log",
        "-e /dev/null",
        "-i in.txt",
        "-S /bin/bash",
        "-S /bin/csh",
        "-S bash",
        "-P proj",
        "-A acc",
        "-g gaa1",
    ),
    *("-q all.q", "-q fast.q", "-q gtest", "-q a.q@node1,b.q", "-p -100", "-r y", "-r n", "-r maybe", "-R y", "-h"),
    *("-t 1-10", "-t 1-100:2", "-t 10-1", "-t 5", "-t 0", "-t 1-", "-t 1-5000", "-t 1-3,7", "-tc 4", "-tc 0", "-t1-3"),
    *("-pe smp 8", "-pe mpi 16", "-pe smp 4-8", "-pe fastnet 12", "-pe 4way 8", "-pe smp", "-pe 'mpi' 4", "-pe sm* 2"),
    *(
        "-m abe",
        "-m e",
        "-m n",
        "-m b,e",
        "-M a@b.c",
        "-M a@b.c,d@e.f",
        "-hold_jid 12",
        "-hold_jid prep,fit",
        "-notify",
    ),
    *(
        "-hold_jid_ad 12",
        "-v A=1",
        "-v A=1,B=2",
        "-v A",
        "-v A=x\\ y",
        '-v A="a b"',
        "-v PATH=$PATH",
        "-v SSH_PORT=2299",
    ),
    *("-a 202612312359", "-a 12312359", "-ac X=1", "-ar 12", "-w e", "-soft", "-hard", "-binding linear:4", "-clear"),
    *("-sync y", "-terse", "-shell n", "-masterq x.q", "-ckpt blcr", "-now n", "-js 3", "-dl 202612312359", "-@ opts"),
    *(
        "-foo",
        "-foo bar",
        "--nodes=2",
        "stray",
        "-",
        "-l",
        "-N",
        "-umask 022",
        "-display :0",
        "-verify",
        "-par 4",
        "-C '#&'",
    ),
]
_GRID_ENGINE_RESOURCES = [
    *("h_rt=1:00:00", "h_rt=90", "h_rt=010", "h_rt=0x10", "h_rt=0", "h_rt=infinity", "h_rt=24::", "h_rt=0:8:00:00"),
    *(
        "h_rt=8h",
        "h_rt",
        "h_rt=$T",
        "s_rt=0:59:00",
        "h_vmem=4G",
        "h_vmem=4g",
        "h_vmem=1.5G",
        "h_vmem=4GB",
        "mem_free=500M",
    ),
    *(
        "mem=2G",
        "gpu=1",
        "gpus=2",
        "gpu=true",
        "hostname=node1",
        "exclusive=true",
        "exclusive",
        "arch=lx-amd64",
        "foo=1",
    ),
    *(
        "rt_F=1",
        "rt_F=4",
        "rt_G.small=1",
        "rt_G.large=2",
        "rt_C.small=1",
        "USE_SSH=1",
        "docker=1",
        "tmpfs=10G",
        "ncpus=4",
    ),
    *('docker_images="*jcm:5000/dhub/pytorch:1.0*"', "h=!node3", "os=el7", "foo>=3", "!foo", "x", "h_rt=1:90:00", ""),
]
_PBS = [
    *("-N fit", "-Nfit", '-N "my fit"', "-V", "-j oe", "-j eo", "-j n", "-joe", "-k oe", "-o log/", "-o out.txt", "-h"),
    *("-o host:/work/o", "-o $PBS_JOBID.out", "-o ^array_id^.o", "-o ${PBS_O_WORKDIR}/x", "-e err.log", "-e /dev/null"),
    *("-S /bin/bash", "-S /bin/tcsh", "-P proj", "-A acc", "-q batch", "-q fast", "-q gtest", "-q rt_HF", "-q rt_HG"),
    *(
        "-q fast@server",
        "-q R12345",
        "-p 10",
        "-r y",
        "-r n",
        "-J 1-10",
        "-J 0-9:3",
        "-J 1-100%5",
        "-t 1-10",
        "-t 0-3,7",
    ),
    *(
        "-t 1-10%2",
        "-J 1-90000",
        "-J x",
        "-m abe",
        "-m ae",
        "-m n",
        "-m jb",
        "-M a@b.c",
        "-M a@b.c,d@e.f",
        "-a 2612312359",
    ),
    *(
        "-a 12312359",
        "-v A=1",
        "-v A=1,B=2",
        "-v A",
        '-v "A=a b"',
        "-v A=\\'x,y\\'",
        "-W depend=afterok:12.server",
        "-I",
    ),
    *(
        "-W depend=afterany:1:2,afterok:3",
        "-W depend=on:2",
        "-W umask=022",
        "-W umask=$(id)",
        "-W block=true",
        "-W x=foo",
    ),
    *("-W group_list=g", "-W sandbox=PRIVATE", "-W depend=afterok:1,umask=077", "-W stagein=a@b:c", "-w /work/u", "-n"),
    *(
        "-d /work/u/run",
        "-X",
        "-C x",
        "-F 'a b'",
        "-c s",
        "-u me",
        "-z",
        "-R e",
        "-foo",
        "--nodes=2",
        "stray",
        "-l",
        "-N",
    ),
]
_PBS_RESOURCES = [
    *(
        "walltime=1:00:00",
        "walltime=90",
        "walltime=30:00",
        "walltime=0:8:00:00",
        "walltime={{ t }}",
        "walltime=1:0:0.5",
    ),
    *(
        "walltime=$$WALL$$",
        "walltime=0",
        "walltime=",
        "select=2:ncpus=8:mpiprocs=4:mem=16gb",
        "select=1",
        "select=2",
        "x=1",
    ),
    *(
        "select=1:ncpus=4:ngpus=1+2:ncpus=8",
        "select=2:ncpus=8:ompthreads=4:model=bro",
        "select=1:host=n1",
        "place=scatter",
    ),
    *(
        "place=pack",
        "place=scatter:excl",
        "place=group=rack",
        "nodes=2:ppn=8",
        "nodes=1:ppn=4:gpus=1",
        "nodes=node1+node2",
    ),
    *("nodes=1:ppn=8:k40", "nodes=3", "nodes=1:ppn=2+2:ppn=4", "ncpus=8", "procs=16", "ngpus=2", "gpus=1", "mem=16gb"),
    *(
        "mem=4GB",
        "mem=1.5gb",
        "mem=100mw",
        "pmem=2gb",
        "vmem=8gb",
        "pvmem=1gb",
        "cput=1:00:00",
        "host=n1",
        "arch=linux",
    ),
    *(
        "storage=gdata/x+scratch/y",
        "wd",
        "jobfs=10GB",
        "filesystems=home:eagle",
        "ngpus=0",
        "naccesspolicy=singlejob",
        "foo=1",
    ),
]
_LSF = [
    *(
        "-J fit",
        "-Jfit",
        '-J "my fit"',
        '-J "fit[1-9]"',
        "-J fit[1-100:2]%5",
        '-J "[1-3,7]"',
        "-J fit[0-3]",
        "-J fit[1-5000]",
    ),
    *(
        "-n 8",
        "-n8",
        "-n 2,6",
        "-n 4,",
        "-n x",
        "-W 30",
        "-W 1:30",
        "-W30",
        "-W 90:00:00",
        "-W 4:00/hostA",
        "-W 0",
        "-We 30",
    ),
    *(
        "-M 4000",
        "-M 4GB",
        "-M4000000",
        "-M 4GB!",
        "-M much",
        "-q normal",
        "-q fast",
        '-q "fast gtest"',
        "-qgtest",
        "-q {{ q }}",
    ),
    *(
        "-P proj",
        "-G team",
        "-o out.%J",
        "-o logs/%J.%I.out",
        "-oo out.log",
        "-e err.log",
        "-eo err.%J",
        "-o $HOME/x",
        "-o log/",
    ),
    *(
        "-x",
        "-H",
        "-r",
        "-rn",
        "-K",
        "-Is",
        "-XF",
        "-B",
        "-N",
        "-BN",
        "-Ne",
        "-u a@b.c",
        "-L /bin/bash",
        "-cwd /work/u",
        "-i in.txt",
    ),
    *(
        "-w done(12)",
        '-w "done(12) && ended(13)"',
        "-w 'exit(1)||done(2)'",
        '-w "done(prep)"',
        "-w 'done(12) && !exit(3)'",
        "-ti",
    ),
    *(
        '-w "done(12[*])"',
        "-b 20:00",
        "-b 2027:1:31:20:00",
        "-t 5:20:00",
        "-env all",
        '-env "all, A=1"',
        "-env none",
        '-env "~X, B=2"',
    ),
    *(
        '-gpu "num=2"',
        "-gpu num=1:mode=exclusive_process:mps=no",
        "-gpu -",
        '-gpu "num=1/task:gmodel=V100"',
        "-nnodes 4",
        "-nnodes x",
    ),
    *(
        "-a openmpi",
        "-a 'docker(ubuntu:22.04)'",
        '-alloc_flags "smt1 gpumps"',
        "-m host1",
        '-m "a b+2"',
        "-app gpu",
        "-Q 99",
        "-sla s",
    ),
    *(
        "-wa USR1 -wt 5",
        "-U res",
        "-g /a",
        "-sp 3",
        "-c 60",
        "-F 100",
        "-S 8000",
        "-v 100",
        "-ul",
        "-foo",
        "-foo bar",
        "stray",
        "-",
        "-R",
    ),
]
_LSF_REQUESTS = [
    *(
        "rusage[mem=4000]",
        "rusage[mem=4GB]",
        "rusage[mem=2GB/task]",
        "rusage[mem=8GB/host]",
        "rusage[mem=1GB/job]",
        "rusage[mem=x]",
    ),
    *(
        "rusage[mem=4000,ngpus_excl_p=1]",
        "rusage[mem=4000:duration=10]",
        "rusage[lic=1]",
        "rusage[ngpus_physical=2]",
        "rusage[tmp=5]",
    ),
    *(
        "span[hosts=1]",
        "span[ptile=4]",
        "span[ptile='!']",
        "span[block=2]",
        "span[hosts=-1]",
        "select[mem>4000]",
        "select[gpu && mem>1]",
    ),
    *(
        "select[a || b]",
        "select[!gpu]",
        "select[hname!='n3']",
        "affinity[core(2)]",
        "affinity[core(1):cpubind=core]",
        "affinity[core]",
    ),
    *(
        "order[-mem]",
        "same[model]",
        "cu[type=rack]",
        "mem>4000",
        "gpuhost",
        "2*{span[hosts=1]}+{mem>1}",
        "{a}||{b}",
        "odd[",
        "]x[",
        "",
    ),
]
_SLURM = ["-N 2", "--ntasks=8", "-J fit", "-p gtest", "-t 10", "--mem=4G", "-o log/%j.out", "--array=1-4", "-p {{ p }}"]


@st.composite
def _options(draw: st.DrawFn, dialect: str) -> str:
    """One option of qsub, or a list of resources, in some spelling."""
    if dialect == "slurm":
        return draw(st.sampled_from(_SLURM))
    if dialect == "lsf" and draw(st.booleans()):
        asked = " ".join(draw(st.lists(st.sampled_from(_LSF_REQUESTS), min_size=1, max_size=3)))
        return draw(st.sampled_from(['-R "@"', "-R '@'", '-R"@"', "-R @"])).replace("@", asked)
    if dialect == "lsf":
        return draw(st.sampled_from(_LSF))
    plain, resources = (_PBS, _PBS_RESOURCES) if dialect == "pbs" else (_GRID_ENGINE, _GRID_ENGINE_RESOURCES)
    if draw(st.booleans()):
        return draw(st.sampled_from(plain))
    asked = ",".join(draw(st.lists(st.sampled_from(resources), min_size=1, max_size=3)))
    return draw(st.sampled_from(["-l @", "-l @", "-l@", '-l "@"', "-l '@'", "-l  @", "-l\t@"])).replace("@", asked)


_PREFIXES = {"grid_engine": "#$", "pbs": "#PBS", "lsf": "#BSUB", "slurm": "#SBATCH"}
_BLANKS = [" ", " ", " ", "", "  ", "\t"]
_LINE_TAILS = ["", "", "", "  # a comment", "# -N tight", " # it's", " ", '"', " \\"]


@st.composite
def _lines(draw: st.DrawFn, dialect: str) -> str:
    """A directive line: several options, blanks of all kinds, continuations, a comment behind them."""
    found = draw(st.lists(_options(dialect), min_size=1, max_size=3))
    joint = draw(
        st.sampled_from([" ", " ", "  ", "\t", *([" \\\n", " \\\n  ", "\\\n#PBS "] if dialect == "pbs" else [])])
    )
    prefix = draw(st.sampled_from(["", "", "", "", "", " ", "\t", "#", "# "])) + _PREFIXES[dialect]
    return prefix + draw(st.sampled_from(_BLANKS)) + joint.join(found) + draw(st.sampled_from(_LINE_TAILS))


# ------------------------------------------------------------------------------------------------ bodies

_VARIABLES = {
    "grid_engine": [
        *("JOB_ID", "JOB_NAME", "SGE_TASK_ID", "SGE_TASK_LAST", "NSLOTS", "NHOSTS", "QUEUE", "PE_HOSTFILE", "TMPDIR"),
        *("SGE_O_WORKDIR", "SGE_LOCALDIR", "SGE_JOB_HOSTLIST", "SGE_ROOT", "SGE_O_HOME", "RESTARTED", "REQUEST", "TMP"),
    ],
    "pbs": [
        *(
            "PBS_JOBID",
            "PBS_JOBNAME",
            "PBS_O_WORKDIR",
            "PBS_NODEFILE",
            "PBS_ARRAY_INDEX",
            "PBS_ARRAYID",
            "PBS_NP",
            "NCPUS",
        ),
        *("PBS_NUM_NODES", "PBS_NUM_PPN", "PBS_LOCALDIR", "PBS_QUEUE", "PBS_O_HOST", "PBS_ENVIRONMENT", "TMPDIR"),
    ],
    "lsf": [
        *("LSB_JOBID", "LSB_JOBINDEX", "LSB_JOBNAME", "LSB_DJOB_NUMPROC", "LSB_HOSTS", "LSB_MCPU_HOSTS", "LSB_QUEUE"),
        *("LSB_DJOB_HOSTFILE", "LSB_SUBCWD", "LS_SUBCWD", "LSB_BATCH_JID", "LSB_OUTPUTFILE", "LSF_BINDIR", "LSB_OTHER"),
    ],
    "slurm": ["SLURM_JOB_ID", "PBS_O_WORKDIR", "LSB_JOBID"],
}
_USES = [
    *("cd $@", 'cd "$@"', "cd ${@}", "echo ${@:-none}", "id=${@%%.*}", 'echo "job $@ of $USER"', "n=$((@ * 2))"),
    *(
        "n=$(( $@ + 1 ))",
        "((@ > 1)) && echo many",
        "echo '$@'",
        "echo \\$@",
        "@=4",
        "export @=4",
        "export @",
        "unset @",
    ),
    *('[ -z "$@" ] && exit 1', '[ "$@" = undefined ] && echo alone', "[[ -n ${@} ]] || echo no", "echo ${#@} ${@/a/b}"),
    *("N=$(wc -l < $@)", "sed -n ${@}p list", "for h in $(uniq $@); do ssh $h hostname; done", "python x.py --id=$@"),
    *(
        "awk -v i=$@ '{print i}' f",
        "cat <<END\nid $@\nEND",
        "cat <<'END'\nid $@\nEND",
        "bash -c 'echo $@'",
        "local x=$@",
    ),
    *(
        'bash -c "echo $@"',
        "f() {\n  echo $@\n}",
        "eval echo \\$@",
        "printenv @",
        'echo "${!@}"',
        "env X=$@ ./run",
        "a[$@]=1",
    ),
    *(
        "export OMP_NUM_THREADS=$@",
        "mpirun -np $@ ./solver",
        "mpirun -np $@ -machinefile $PBS_NODEFILE ./solver",
        "# $@",
    ),
    *(
        "mpirun -hostfile $PE_HOSTFILE -np $@ ./a.out",
        "mpiexec -n $@ singularity exec a.sif ./a",
        "x=`echo $@`",
        "echo $@_x",
    ),
    *(
        "ls > out.$@",
        "trap 'rm -rf $@' EXIT",
        ': "${@:=1}"',
        "if [ $@ -gt 1 ]; then\n  echo\nfi",
        "case $@ in\n1) ;;\nesac",
    ),
]
_SUBMISSIONS = {
    "grid_engine": [
        *(
            "qsub next.sh",
            "qsub -N a -l h_rt=90 -cwd next.sh 5",
            "qsub -l rt_F=1,h_rt=1:0:0 -g gaa1 next.sh",
            "qdel $JOB_ID",
        ),
        *(
            "qsub -hold_jid $id -terse next.sh",
            "qsub -t 1-10 -tc 2 next.sh",
            "qsub -b y -cwd python x.py",
            "qstat -j $JOB_ID",
        ),
        *(
            'qsub -b y "echo a; echo b"',
            "qsub -v A=1 -pe smp 4 -o log/ -j y next.sh",
            "qstat -u $USER",
            "qstat",
            "qdel -u $USER",
        ),
        *(
            "qsub -sync y next.sh",
            "qrsh -inherit $h hostname",
            "qalter -h U 12",
            "qacct -j 12",
            "qsub",
            "qsub < next.sh",
            "qhold 3",
        ),
        *(
            'qsub -N "a b" $OPTS next.sh',
            "qsub -q fast.q next.sh",
            "qsub -foo bar next.sh",
            "qsub -l bigdisk=1 next.sh",
            "qstat -f",
        ),
        *(
            'qsub -N "$name" -v "A=$x" next.sh',
            "qsub -m b -m e -M a@b.c next.sh",
            "qsub -l h_vmem=4G -l h_rt=90 -pe smp 2 x.sh",
        ),
    ],
    "pbs": [
        *(
            "qsub next.pbs",
            "qsub -N a -l walltime=90 next.pbs",
            "qsub -W depend=afterok:$id next.pbs",
            "qdel ${PBS_JOBID}",
        ),
        *(
            "qsub -l nodes=1:ppn=4,walltime=1:00:00 -v INDEX=7 next.pbs",
            "qsub -J 1-10 next.pbs",
            "qstat -u $USER",
            "qstat -f 12",
        ),
        *(
            "qsub -q fast next.pbs",
            "qsub -I",
            "qsub -l select=2:ncpus=4 -l place=scatter next.pbs",
            "qsub -",
            "qrls 1",
            "pbsnodes -a",
        ),
        *(
            'qsub -v "A=$x,B=2" next.pbs',
            "qsub -- /bin/hostname",
            "echo 'hostname' | qsub -N x",
            "qsub -t 1-4 next.pbs",
            "qdel all",
        ),
        *(
            "qsub -W umask=022,block=true next.pbs",
            "pbsdsh hostname",
            "qstat -x -f 12",
            "qsub -j oe -o log/ next.pbs",
            "qsub -z x.pbs",
        ),
    ],
    "lsf": [
        *(
            "bsub < next.sh",
            "bsub -J a -W 90 < next.sh",
            "bsub -n4 -q fast ./next 5",
            "bkill $LSB_JOBID",
            "bjobs",
            "bjobs -w 12",
        ),
        *(
            'bsub -w "done($id)" < next.sh',
            'bsub -J "a[1-10]%2" -o %J.%I.log ./x \\$LSB_JOBINDEX',
            "bsub",
            "bsub ./a",
            "bsub -I bash",
        ),
        *(
            "bsub -R 'rusage[mem=4GB] span[hosts=1]' \"python x.py\"",
            "bsub -M 4000 ./a $x 'b c'",
            "bsub -foo bar x.sh",
            "bkill 0",
        ),
        *(
            "bjobs -u all -o 'jobid stat'",
            "bpeek 12",
            "bstop 3",
            "bresume 3",
            "bqueues",
            "bhosts -w",
            "bhist -l 12",
            "brequeue 12",
        ),
        *(
            "blaunch $h hostname",
            "mpirun.lsf ./solver",
            'blaunch -z "$LSB_HOSTS" ./w',
            "bkill -J a",
            'bkill "12[3]"',
            "bmod -W 10 12",
        ),
    ],
    "slurm": ["sbatch next.sh", "bsub < next.sh", "qsub -l walltime=90 next.sh", "qsub -cwd next.sh"],
}
_PLACES = [
    *(
        "@",
        "@",
        "@",
        "id=$(@)",
        "id=`@`",
        "@ | awk '{print $3}'",
        "id=$(@ | cut -d. -f1)",
        'bash -c "@"',
        "bash -c '@'",
    ),
    *(
        "submit() {\n  @\n}\nsubmit",
        "for i in 1 2; do\n  @\ndone",
        "if ! @; then exit 1; fi",
        "@ > /dev/null",
        "  @",
        "@ && @",
    ),
    *(
        "while @; do sleep 1; done",
        "(@)",
        "echo @",
        "# @",
        "@ # a comment",
        "ssh login @",
        "CMD='@'\n$CMD",
        'CMD="@"\neval $CMD',
    ),
    *(
        'ssh login "cd $PWD; @"',
        "nohup @ &",
        "time @",
        "A=1 @",
        "case x in\nx) @ ;;\nesac",
        "cat <<END\n@\nEND",
        "[ -f x ] || @",
    ),
]
_BODY = [
    *(
        "hostname",
        "./solver > log",
        "module load gcc",
        "source ~/.bashrc",
        "cd /work/u",
        "python train.py",
        "set -u",
        "exit 99",
    ),
    *(
        "mpirun ./solver",
        "mpirun -np 8 ./solver",
        "mpirun -npernode 4 -x A ./solver",
        "mpiexec.hydra -ppn 2 -n 4 ./a",
        "wait",
    ),
    *(
        "set -e",
        "source /etc/profile.d/modules.sh",
        "singularity exec --nv a.sif python x.py",
        "[[ -f x ]] && echo",
        "",
    ),
]
_DOCUMENTS = [
    *(
        "cat > job.sh <<EOF\n#!/bin/bash\n@\nhostname\nEOF",
        "cat > job.sh <<'EOF'\n@\necho $x\nEOF",
        "qsub <<EOF\n@\nhostname\nEOF",
    ),
    *(
        "qsub <<'EOF'\n#!/bin/bash\n@\nEOF",
        "cat <<-EOF | qsub\n\t@\n\thostname\n\tEOF",
        "cat <<-'EOF' > j\n\t#!/bin/sh\n\t@\n\tEOF",
    ),
    *(
        "sbatch <<EOF\n#!/bin/bash\n@\nEOF",
        "cat <<EOF\n@\nEOF",
        "cat <<\\EOF | qsub -cwd\n@\nEOF",
        'echo "@" >> job.sh',
        "echo '@' > j",
    ),
    *(
        "bsub <<EOF\n@\nhostname\nEOF",
        "bsub -J x <<'EOF'\n#!/bin/bash\n@\nEOF",
        "cat <<-EOF | bsub\n\t@\n\thostname\n\tEOF",
    ),
    "if true; then\n  cat <<EOF > j.sh\n#!/bin/bash\n@\nEOF\n  qsub j.sh\nfi",
]


@st.composite
def _document(draw: st.DrawFn, dialect: str) -> str:
    """A script inside the script, its `$` escaped or not."""
    found = "\n".join(draw(st.lists(_lines(dialect), min_size=1, max_size=3)))
    template = draw(st.sampled_from(_DOCUMENTS))
    if "\t@" in template:
        found = found.replace("\n", "\n\t")
    return template.replace("@", found.replace("#$", "#\\$") if draw(st.booleans()) else found)


@st.composite
def _statement(draw: st.DrawFn, dialect: str) -> str:
    shape = draw(st.integers(0, 6))
    if shape <= 1:
        return draw(st.sampled_from(_USES)).replace("@", draw(st.sampled_from(_VARIABLES[dialect])))
    if shape == 2:
        return draw(st.sampled_from(_PLACES)).replace("@", draw(st.sampled_from(_SUBMISSIONS[dialect])))
    if shape == 3:
        return draw(st.sampled_from(_BODY))
    if shape == 4:
        return draw(_document(dialect))
    return draw(st.one_of(statements().map(lambda p: p.text), comments.map(lambda p: p.text), _lines(dialect)))


_SHEBANGS = [
    "#!/bin/bash",
    "#!/bin/bash",
    "#!/bin/bash -l",
    "#!/bin/sh",
    "#!/bin/csh",
    "#!/usr/bin/env python3",
    "",
    "",
]
_DIALECTS = st.sampled_from(["grid_engine", "pbs", "lsf"])


@st.composite
def old_scripts(draw: st.DrawFn) -> bytes:
    """A script for an old scheduler; now and then with a line for another one."""
    mine = draw(_DIALECTS)
    dialects = st.sampled_from([mine] * 12 + ["grid_engine", "pbs", "lsf", "slurm"])
    blank = comments.map(lambda p: p.text)
    header = draw(st.lists(st.one_of(dialects.flatmap(_lines), _lines(mine), blank), max_size=6))
    body = draw(st.lists(dialects.flatmap(_statement), max_size=5))
    shebang = draw(st.sampled_from(_SHEBANGS))
    text = "\n".join([*([shebang] if shebang else []), *header, *body]) + draw(
        st.sampled_from(["\n", "\n", "", "\n\n"])
    )
    if draw(st.integers(0, 9)) == 0:
        text = text.replace("\n", "\r\n")
    return text.encode("latin-1")


old = old_scripts()
anything_old = st.one_of(old, old, old, damaged(old))

# ------------------------------------------------------------------------------------------------ values


@dataclass(frozen=True)
class Value:
    """A value as a script spells it, and what it means: seconds of a time, bytes of a size."""

    text: str
    amount: float


def _clock(*parts: int) -> float:
    total = 0
    for part in parts:
        total = total * 60 + part
    return float(total)


_small = st.integers(0, 200)
_clocks = st.tuples(_small, _small, _small).filter(any)
grid_engine_times = st.one_of(
    st.integers(1, 10**6).map(lambda n: Value(str(n), n)),
    st.integers(1, 10**6).map(lambda n: Value(f"0{n:o}", n)),
    st.integers(1, 10**6).map(lambda n: Value(f"0x{n:x}", n)),
    st.integers(1, 10**5).map(lambda n: Value(f"{n // 10}.{n % 10}", math.ceil(Fraction(n, 10)))),
    _clocks.map(lambda p: Value("{}:{}:{}".format(*p), _clock(*p))),
    _clocks.map(lambda p: Value("{:02}:{:02}:{:02}".format(*p), _clock(*p))),
    st.integers(1, 99).map(lambda n: Value(f"{n}::", n * 3600)),
    st.integers(1, 99).map(lambda n: Value(f":{n}:", n * 60)),
)
pbs_times = st.one_of(
    st.integers(1, 10**6).map(lambda n: Value(str(n), n)),
    st.tuples(_small, _small).filter(any).map(lambda p: Value("{}:{:02}".format(*p), _clock(*p))),
    _clocks.map(lambda p: Value("{}:{:02}:{:02}".format(*p), _clock(*p))),
)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@st.composite
def grid_engine_sizes(draw: st.DrawFn) -> Value:
    """Small letters count in thousands, large ones in 1024; a fraction is allowed."""
    letter = draw(st.sampled_from(["", *"kKmMgG"]))
    number = Fraction(draw(st.integers(1, 5000 if letter else 10**10)), draw(st.sampled_from([1, 2, 4, 10])))
    base = 1024 if letter.isupper() else 1000
    text = f"{float(number):.2f}" if number.denominator > 1 else str(number)
    return Value(text + letter, float(number * base ** _POWERS[letter.lower()]))


@st.composite
def pbs_sizes(draw: st.DrawFn) -> Value:
    """Binary whatever the case; words count 8 bytes."""
    letter, unit = draw(st.sampled_from(["", *"kmg"])), draw(st.sampled_from(["b", "b", "w", ""]))
    number = draw(st.integers(1, 5000 if letter else 10**10))
    text = letter + unit
    amount = number * 1024 ** _POWERS[letter] * (8 if unit == "w" else 1)
    return Value(f"{number}{text.upper() if draw(st.booleans()) else text}", amount)
