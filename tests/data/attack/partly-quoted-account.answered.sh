#!/bin/bash
sbatch -A MST"112233" a.sh
