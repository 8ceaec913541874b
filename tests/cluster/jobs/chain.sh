#!/bin/bash
#SBATCH --job-name=chain
#SBATCH --partition=gtest
#SBATCH --mem=1G
#SBATCH --output=%x.out
#SBATCH --error=%x.err
module load singularity
cat > last.sh <<'EOF'
#!/bin/bash
#SBATCH --partition=gp1d
#SBATCH --gres=gpu:1
#SBATCH --output=chain.last.out
#SBATCH --error=chain.last.err
module load singularity
singularity exec $HOME/box.sif cat /etc/os-release note
EOF
first=$(sbatch --parsable -p gp2d --mem=1G -o chain.first.err --wrap="module load singularity; singularity exec $HOME/box.sif sh -c 'echo written first > note'")
sbatch --dependency=afterok:$first last.sh > /dev/null
echo "handed in"
