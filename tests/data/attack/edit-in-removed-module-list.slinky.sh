#!/bin/bash
#PBS -N x
module list 2> $PBS_JOBID.log
