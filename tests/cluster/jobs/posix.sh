#!/bin/sh
#SBATCH -J posix -pgp1d
#SBATCH -N1 -n1 -G1
#SBATCH -o %x.out -e %x.err
module load singularity 2>/dev/null
module list
SINGULARITYENV_GREETING="good morning" singularity exec -B "$PWD":/data:ro --pwd /data "$HOME/box.sif" bash <<'EOF'
echo "$GREETING from $PWD"
touch /data/x 2>/dev/null || echo "read only"
EOF
