#!/bin/bash
#PBS -N x
docker rm c_$PBS_JOBID
