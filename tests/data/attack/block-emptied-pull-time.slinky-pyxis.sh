#!/bin/bash
time {
singularity pull a.sif docker://u
}
