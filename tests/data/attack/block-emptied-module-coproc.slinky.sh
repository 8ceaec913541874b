#!/bin/bash
coproc N {
module load singularity
}
