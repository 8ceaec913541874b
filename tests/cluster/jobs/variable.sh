#!/bin/bash
#SBATCH -J variable -p gp2d -A MST100001
#SBATCH --nodes=2 --ntasks-per-node=2
#SBATCH --gpus-per-node=4
#SBATCH -t 10:00
#SBATCH -o %x.out -e %x.err

ml purge; ml singularity
SIF=$HOME/box.sif
SINGULARITY="singularity exec --nv --bind $PWD:/data --pwd /data $SIF"
cat > rank.sh <<'EOF'
echo "rank $SLURM_PROCID of $SLURM_NTASKS on $SLURMD_NODENAME, $SLURM_GPUS_ON_NODE GPUs, in $PWD"
EOF
srun $SINGULARITY bash rank.sh | sort
