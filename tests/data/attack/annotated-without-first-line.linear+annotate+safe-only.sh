#$ -cwd
hostname
