#!/bin/bash
singularity pull /work/u/a.sif docker://ubuntu
