#!/bin/bash
coproc N {
singularity pull a.sif docker://u
}
