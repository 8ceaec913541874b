#!/bin/bash
#SBATCH --output=out --error=err
module load python
cd data
python ../show.py a.txt --in < a.txt
cd ..
cd "sub folder" && python ../show.py --in < "a file.txt"
pushd ../data > /dev/null; python ../show.py pushed; popd > /dev/null
(cd ../lib; python ../show.py sub-shell)
python ../show.py end
