#!/bin/bash
sbatch -p g"test" a.sh
sbatch -p g"test" a.sh
