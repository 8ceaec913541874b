#!/bin/bash
#PBS -N x
docker rmi u > $PBS_JOBID.log
