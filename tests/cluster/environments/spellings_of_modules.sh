#!/bin/bash
#SBATCH --output=out --error=err
source /etc/profile.d/modules.sh 2>/dev/null || true
module purge && module use /opt/old/modules
ml python/3.10
module list
show ml
