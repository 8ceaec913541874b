#!/bin/bash
#SBATCH --output=out --error=err
module load python
cd "sub folder"
python "../my show.py" "a file.txt" --read="a file.txt"
python ../my\ show.py a\ b
f='a file.txt'; python ../show.py --read="$f" "$f"
