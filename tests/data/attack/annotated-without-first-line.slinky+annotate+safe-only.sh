#SBATCH -p gtest
module load gcc
python x.py
