#!/bin/bash
#SBATCH --output=out --error=err
module load python
cd MOUNTED/data
python JOB/show.py "$PWD" --in < a.txt
mkdir -p results && python JOB/show.py --print=kept > results/r.txt
cat results/r.txt
python JOB/show.py --read=MOUNTED/data/a.txt --read=JOB/data/b.txt
