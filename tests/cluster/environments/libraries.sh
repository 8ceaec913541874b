#!/bin/bash
#SBATCH --output=out --error=err
module load python
export LD_LIBRARY_PATH=/opt/old/lib T_KEPT=1
export PATH=$PWD/bin:$PATH
python show.py --print=paths; python -c "import os; print(os.environ.get(\"LD_LIBRARY_PATH\"), os.environ[\"PATH\"])"
