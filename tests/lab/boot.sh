#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# boot.sh -k BZIMAGE -i INITRAMFS -j JOB -o RESULTS [options]
#
# Boots BZIMAGE in QEMU (two processors, two NUMA nodes), runs the shell script
# JOB in the guest, and leaves in RESULTS: console.log, boot.json and out/, all
# files that the job left in /out.  boot.json's outcome is "done" (see its exit),
# "hang" or "panic": each of them is a result, and boot.sh then exits 0.  A guest
# whose init does not end it in time is made to say on its console where it hangs.
# It exits 2 when the lab itself failed, 77 when packages are missing.
#
#   -f FILE     put FILE beside the job, as /job/NAME (may be repeated)
#   -t SECONDS  the guest's deadline for the job (default 300)
#   -m MIB      memory (default 1024)
#   -s MIB      size of the test disk /dev/vda, empty (default 1024)
#   -l IOPS     limit the test disk, so that I/O stays in flight longer
#   -a WORDS    more words for the kernel's command line

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# Time to boot, to write the results and to power off, on a busy machine.
readonly MARGIN=90
# Time for a guest that hangs to tell where.
readonly LAST_WORDS=10
readonly PROBE_TIMEOUT=40
readonly LAST_PANIC='unknown_nmi_panic panic_print=0x41'
readonly OUR_PANIC='NMI: Not continuing'
# On a busy host an emulated timer may be late, and the kernel would not boot without one. QEMU's
# time-stamp counter is the same on all processors; without it every look at the clock, also for a
# traced event, leaves the emulated code.
readonly TIMER='no_timer_check tsc=reliable'
readonly FAULTS='BUG: |Oops: |Kernel panic|general protection fault|WARNING: CPU|INFO: task .* blocked|soft lockup|EXT[24]-fs error'

work='' watcher=''
kernel='' initramfs='' job='' results='' files=()
deadline=300 memory=1024 size=1024 iops=0 extra=''

parse() {
	local flag

	while getopts k:i:j:o:f:t:m:s:l:a: flag; do
		case $flag in
		k) kernel=$OPTARG ;;
		i) initramfs=$OPTARG ;;
		j) job=$OPTARG ;;
		o) results=$OPTARG ;;
		f) files+=("$OPTARG") ;;
		t) deadline=$OPTARG ;;
		m) memory=$OPTARG ;;
		s) size=$OPTARG ;;
		l) iops=$OPTARG ;;
		a) extra=$OPTARG ;;
		*) lab_die "see the head of boot.sh" ;;
		esac
	done
	[[ -r $kernel && -r $initramfs && -r $job && -n $results ]] ||
		lab_die "boot.sh needs -k, -i, -j and -o"
}

# Prints the initramfs with the job's files appended: archives add up.
pack_job() {
	local folder=$work/pack file

	mkdir -p "$folder/job"
	cp "$job" "$folder/job/run"
	for file in "${files[@]}"; do
		cp "$file" "$folder/job/"
	done
	cat "$initramfs"
	(cd "$folder" && find job | cpio -o -H newc --quiet -R 0:0 | gzip -1)
}

# After SECONDS the guest gets an NMI that nobody can mask: it panics, with the stacks of all
# processors and tasks.
inspect_later() {
	mkfifo "$work/monitor.in" "$work/monitor.out"
	(
		trap 'kill $!' TERM
		sleep "$1" &
		wait $! || exit 0
		touch "$work/hung"
		echo nmi >"$work/monitor.in"
	) &
	watcher=$!
}

inspection_end() {
	[[ -z $watcher ]] || kill "$watcher" 2>/dev/null || true
	watcher=''
}

# run_guest ACCEL SECONDS CONSOLE INITRD WORDS [QEMU ARGUMENTS...]
run_guest() {
	local accel=$1 seconds=$2 console=$3 initrd=$4 words=$5 half=$((memory / 2))
	shift 5

	# In the foreground: what ends the lab must end the guest too.
	timeout --foreground -k 5 "$seconds" qemu-system-x86_64 \
		-accel "$accel" -cpu max -smp 2,sockets=2 -m "$memory" \
		-object memory-backend-ram,id=m0,size="${half}M" \
		-object memory-backend-ram,id=m1,size="${half}M" \
		-numa node,nodeid=0,memdev=m0,cpus=0 -numa node,nodeid=1,memdev=m1,cpus=1 \
		-kernel "$kernel" -initrd "$initrd" \
		-append "console=ttyS0 loglevel=5 panic=-1 $LAST_PANIC $TIMER mitigations=off $words" \
		-nodefaults -no-user-config -display none -no-reboot \
		-serial "file:$console" "$@" </dev/null
}

# Prints the accelerator to use.  /dev/kvm may exist and not boot a kernel, so
# it is tried once a boot of this machine.
choose_accel() {
	local answer

	if [[ -n ${CHURNFS_LAB_ACCEL:-} ]]; then
		echo "$CHURNFS_LAB_ACCEL"
		return
	fi
	if [[ ! -w /dev/kvm ]]; then
		echo tcg,thread=multi
		return
	fi
	mkdir -p "$LAB_CACHE"
	answer=$LAB_CACHE/accel-$(cat /proc/sys/kernel/random/boot_id)
	if [[ ! -s $answer ]]; then
		if run_guest kvm "$PROBE_TIMEOUT" "$work/probe.log" "$initramfs" lab.deadline=1 &&
			grep -q '^lab: start' "$work/probe.log"; then
			echo kvm >"$answer"
		else
			echo tcg,thread=multi >"$answer"
		fi
	fi
	cat "$answer"
}

# Prints what became of the guest.
judge() {
	if [[ -e $results/out/exit ]]; then
		echo "done"
	elif [[ -e $work/hung ]]; then
		echo hang
	elif grep -q 'Kernel panic' "$results/console.log"; then
		echo panic
	else
		echo hang
	fi
}

report() {
	local outcome=$1 accel=$2 wall=$3 code=null boot

	[[ -e $results/out/exit ]] && code=$(<"$results/out/exit")
	boot=$(sed -n 's/^lab: start \([0-9.]*\).*/\1/p' "$results/console.log" | head -1)
	jq -n --arg outcome "$outcome" --argjson exit "$code" --arg accel "$accel" \
		--argjson boot_s "${boot:-null}" --argjson wall_s "$wall" \
		--arg fault "$(tr -d '\r' <"$results/console.log" | grep -av "$OUR_PANIC" |
			grep -aEm1 "$FAULTS" || true)" \
		'{outcome: $outcome, exit: $exit, accel: $accel, boot_s: $boot_s, wall_s: $wall_s,
		  fault: (if $fault == "" then null else $fault end)}' >"$results/boot.json"
}

main() {
	local accel started seconds rc=0 disk throttle=''

	parse "$@"
	lab_need qemu-system-x86_64=qemu-system-x86 cpio=cpio jq=jq
	work=$(mktemp -d)
	trap 'inspection_end; rm -rf "$work"' EXIT
	rm -rf "$results"
	mkdir -p "$results/out"
	pack_job >"$work/initrd"
	disk=$work/disk.img
	truncate -s "${size}M" "$disk"
	truncate -s 256M "$work/results.img"
	[[ $iops -gt 0 ]] && throttle=,throttling.iops-total=$iops
	accel=$(choose_accel)
	started=$SECONDS
	seconds=$((deadline + MARGIN))
	inspect_later $((seconds - LAST_WORDS))
	run_guest "$accel" "$seconds" "$results/console.log" "$work/initrd" \
		"lab.deadline=$deadline $extra" \
		-drive "file=$disk,if=virtio,format=raw,cache=unsafe$throttle" \
		-drive "file=$work/results.img,if=virtio,format=raw,cache=unsafe" \
		-chardev "pipe,id=monitor,path=$work/monitor" -mon chardev=monitor \
		2>"$work/qemu.err" || rc=$?
	inspection_end
	if [[ ! -s $results/console.log ]]; then
		cat "$work/qemu.err" >&2
		lab_die "QEMU did not start a guest (exit $rc)"
	fi
	# A guest that died while it wrote leaves half an archive: take what is there.
	tar -C "$results/out" -xf "$work/results.img" --no-same-owner 2>/dev/null || true
	report "$(judge)" "$accel" $((SECONDS - started))
}

main "$@"
