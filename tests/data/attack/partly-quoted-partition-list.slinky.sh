#!/bin/bash
sbatch -p "gp1d",gp2d a.sh
