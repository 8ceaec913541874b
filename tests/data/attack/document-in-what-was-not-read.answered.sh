for i in;{ function f { case x in x)esac } }<<EOF''
do
done source /etc/profile.d/modules.sh
EOF