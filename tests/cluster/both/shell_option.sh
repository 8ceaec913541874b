#$ -S /bin/bash
#$ -cwd
#$ -j y -o shell.log
names=(one two three)
[[ ${names[1]} == t* ]] && echo "${#names[@]} names, ${names[*]:1}"
