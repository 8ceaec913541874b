#!/bin/bash
#$ -cwd -j y -o mpi.log
#$ -N ranks
#$ -pe mpi 4
mpirun -np $NSLOTS bash -c 'echo "rank $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE"' | sort
