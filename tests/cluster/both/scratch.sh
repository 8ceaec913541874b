#!/bin/bash
#$ -cwd -j y -o scratch.log
set -e
[ -d "$TMPDIR" ] && [ -z "$(ls -A "$TMPDIR")" ] && echo "an empty folder of its own"
cp job.sh "$TMPDIR/input"
cd "$TMPDIR"
ls
cp input "$SGE_O_WORKDIR/copy"
cd "$SGE_O_WORKDIR"
diff copy job.sh && echo "the same"
rm copy
