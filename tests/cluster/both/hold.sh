#!/bin/bash
#$ -cwd -j y -o chain.log
#$ -N chain
first=$(qsub -terse -cwd -j y -o first.log -N first -b y "bash -c 'sleep 2; echo done > first.result; echo first'")
qsub -hold_jid "$first" -cwd -j y -o second.log -N second <<'EOF' > /dev/null
#!/bin/bash
cat first.result
EOF
echo "chained"
