#!/bin/bash
#SBATCH --output=out --error=err
module load python
time python show.py time 2>/dev/null
nohup python show.py nohup < /dev/null
timeout 60 python show.py timeout
timeout -s KILL 60 python show.py --exit=9 timeout; echo "code $?"
nice -n 5 python show.py nice
env T_A=1 T_B="b b" python show.py env
env -u T_GONE T_C=c nice timeout 60 python show.py chain
stdbuf -oL python show.py stdbuf
command python show.py command
exec 2>&1
exec python show.py exec
