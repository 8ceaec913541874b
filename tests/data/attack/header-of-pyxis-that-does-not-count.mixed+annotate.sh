#SBATCH--container-w
#$-l rt_F=g
#SBATCHl
podman-compose
p