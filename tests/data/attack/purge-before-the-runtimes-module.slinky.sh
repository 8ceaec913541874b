module purge
ml singularity