#!/bin/bash
#SBATCH --output=out --error=err --nodes=1 --ntasks=2 --mem=2G
module load python
for i in 1 2; do
  srun --exact --nodes=1 --ntasks=1 --mem=500M python show.py $i > $i.txt &
done
wait
cat 1.txt 2.txt
