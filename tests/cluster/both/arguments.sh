#!/bin/bash
#$ -cwd -j y -o arguments.log
cat > work.sh <<EOF
#!/bin/bash
#\$ -cwd -j y -o work.log
for word in "\$@"; do echo "<\$word>"; done
EOF
qsub -N work work.sh one 'two  words' '$three' -x > /dev/null
rm work.sh
echo "given in"
