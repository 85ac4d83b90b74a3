# SPDX-License-Identifier: GPL-2.0-or-later
#
# Draws section.dat and lookup.dat of the current folder, which compare.sh made:
# comparison.svg and comparison.png.

set style data histogram
set style histogram clustered gap 1
set style fill solid noborder
set boxwidth 0.9
set logscale y
set yrange [0.001:1000]
set ytics 0.001,10,100
set format y "%g %%"
set grid ytics linecolor rgb "#dddddd"
set key top right
set xtics rotate by -45 font ",9"
array colour[3] = ["#c0392b", "#7f8c8d", "#2471a3"]
array name[3] = ["unfixed", "RFC: write out, drop buffers", "merged: lock held"]

do for [kind in "svg png"] {
	if (kind eq "svg") {
		set terminal svg size 1000,420 font "sans,11" background "white"
	} else {
		set terminal pngcairo size 1000,420 font "sans,10"
	}
	set output "comparison.".kind
	set multiplot layout 1,2
	do for [what in "section lookup"] {
		set title noenhanced what eq "section" ? "Section that replaces a page" : "Buffer lookup, __find_get_block()"
		set xlabel "µs, from (each bar up to twice that)"
		set ylabel "share of calls"
		plot for [i=1:3] what.".dat" using (column(i + 1)):xtic(1) \
			linecolor rgb colour[i] title name[i]
	}
	unset multiplot
	unset output
}
