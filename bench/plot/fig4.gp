# SPDX-License-Identifier: LGPL-2.1-or-later
# gnuplot -e "folder='DIR'; transfers=8; starts='15 30'" fig4.gp
# DIR/fig4.dat becomes DIR/fig4.svg and DIR/fig4.png.
set encoding utf8
set title "A 20 fps video stream through FTP transfers on a 10 Mbit/s link"
set xlabel "time (s)"
set ylabel "complete frames per second (5 s bins)"
set xrange [0:60]
set yrange [0:24]
set xtics 5 nomirror
set ytics 5 nomirror
set border 3 lc rgb "#606060"
set grid ytics lc rgb "#e0e0e0" lt 1
set key at graph 0.25, 0.30 left top Left reverse samplen 2.5
do for [at in starts] {
	set arrow from at, 0 to at, 21.6 nohead dt 2 lw 1.2 lc rgb "#808080"
	set label sprintf("%d FTP transfers start", transfers) at at + 0.5, 21.8 tc rgb "#505050"
}
set style line 1 lc rgb "#0060ad" lw 2.5 pt 7 ps 1.0
set style line 2 lc rgb "#c8501e" lw 2.5 pt 5 ps 0.9

do for [type in "svg png"] {
	if (type eq "svg") {
		set terminal svg size 800,480 font "sans-serif,13" background "#ffffff"
	} else {
		set terminal pngcairo size 1600,960 font "sans,13" fontscale 1.6 linewidth 2 pointscale 1.8
	}
	set output folder."/fig4.".type
	plot folder."/fig4.dat" using 1:2 with linespoints ls 1 title "QSockets, DWCS", \
	     "" using 1:3 with linespoints ls 2 title "plain socket"
	unset output
}
