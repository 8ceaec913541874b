#!/bin/bash
#PBS -N x
module use $PBS_O_WORKDIR/mods
