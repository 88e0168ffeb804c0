"""Numbers of the system calls that the filter knows, on x86-64 and on aarch64.

There are four groups: calls that computing in Python needs; calls that only an attack needs; calls that are refused as
not supported; and calls that are checked further or allowed to the zygote alone. Every other call fails with EPERM.
Each entry is a name and its two numbers, `-` where an architecture does not have the call. Source: the Linux kernel's
asm/unistd_64.h and asm-generic/unistd.h.
"""

from __future__ import annotations

import os

#: allowed whatever the arguments
_ALLOWED = """
read 0 63, write 1 64, open 2 -, close 3 57, stat 4 -, fstat 5 80, lstat 6 -, poll 7 -, lseek 8 62, mmap 9 222,
mprotect 10 226, munmap 11 215, brk 12 214, rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139,
pread64 17 67, pwrite64 18 68, readv 19 65, writev 20 66, access 21 -, pipe 22 -, select 23 -, sched_yield 24
124, mremap 25 216, msync 26 227, mincore 27 232, madvise 28 233, dup 32 23, dup2 33 -, pause 34 -, nanosleep 35
101, getitimer 36 102, alarm 37 -, setitimer 38 103, getpid 39 172, exit 60 93, wait4 61 260, uname 63 160,
flock 73 32, fsync 74 82, fdatasync 75 83, truncate 76 45, ftruncate 77 46, getdents 78 -, getcwd 79 17, chdir
80 49, fchdir 81 50, rename 82 -, mkdir 83 -, rmdir 84 -, creat 85 -, link 86 -, unlink 87 -, symlink 88 -,
readlink 89 -, chmod 90 -, fchmod 91 52, umask 95 166, gettimeofday 96 169, getrlimit 97 163, getrusage 98 165,
sysinfo 99 179, times 100 153, getuid 102 174, getgid 104 176, geteuid 107 175, getegid 108 177, getppid 110
173, getpgrp 111 -, sigaltstack 131 132, statfs 137 43, fstatfs 138 44, gettid 186 178, futex 202 98,
sched_getaffinity 204 123, getdents64 217 61, set_tid_address 218 96, fadvise64 221 223, clock_gettime 228 113,
clock_getres 229 114, clock_nanosleep 230 115, exit_group 231 94, epoll_wait 232 -, epoll_ctl 233 21, openat 257
56, mkdirat 258 34, newfstatat 262 79, unlinkat 263 35, renameat 264 38, renameat2 316 276, linkat 265 37,
symlinkat 266 36, readlinkat 267 78, fchmodat 268 53, faccessat 269 48, pselect6 270 72, ppoll 271 73,
set_robust_list 273 99, get_robust_list 274 100, utimensat 280 88, epoll_pwait 281 22, eventfd2 290 19,
epoll_create1 291 20, dup3 292 24, pipe2 293 59, getrandom 318 278, membarrier 324 283, statx 332 291, rseq 334
293, faccessat2 439 439, close_range 436 436, epoll_pwait2 441 441, rt_sigtimedwait 128 137, rt_sigpending 127
136, rt_sigsuspend 130 133, getcpu 309 168, restart_syscall 219 128, getpriority 140 141, getgroups 115 158,
getsid 124 156, getpgid 121 155, sendfile 40 71, sendto 44 206, recvfrom 45 207, shutdown 48 210, getsockopt 55
209, setsockopt 54 208, getsockname 51 204, getpeername 52 205
"""

#: end the process that makes them
_DEADLY = """
fork 57 -, execve 59 221, execveat 322 281, connect 42 203, bind 49 200, listen 50
201, accept 43 202, accept4 288 242, sendmsg 46 211, sendmmsg 307 269, recvmmsg 299 243, tkill 200 130,
rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, ptrace 101 117, mount 165 40, umount2 166 39, pivot_root 155
41, chroot 161 51, unshare 272 97, setns 308 268, io_uring_setup 425 425, io_uring_enter 426 426,
io_uring_register 427 427, bpf 321 280, perf_event_open 298 241, process_vm_readv 310 270, process_vm_writev 311
271, kcmp 312 272, keyctl 250 219, add_key 248 217, request_key 249 218, init_module 175 105, finit_module 313
273, delete_module 176 106, kexec_load 246 104, kexec_file_load 320 294, reboot 169 142, swapon 167 224, swapoff
168 225, sethostname 170 161, setdomainname 171 162, setuid 105 146, setgid 106 144, setreuid 113 145, setregid
114 143, setresuid 117 147, setresgid 119 149, setfsuid 122 151, setfsgid 123 152, setgroups 116 159, capset 126
91, shmget 29 194, shmat 30 196, shmctl 31 195, semget 64 190, semop 65 193, semctl 66 191, semtimedop 220 192,
msgget 68 186, msgsnd 69 189, msgrcv 70 188, msgctl 71 187, mq_open 240 180, mq_unlink 241 181, userfaultfd 323
282, pidfd_getfd 438 438, open_by_handle_at 304 -, name_to_handle_at 303 -, memfd_secret 447 447, personality
135 92, modify_ldt 154 -, iopl 172 -, ioperm 173 -, quotactl 179 60, acct 163 89, settimeofday 164 170,
clock_settime 227 112, clock_adjtime 305 266, adjtimex 159 171, move_mount 429 429, open_tree 428 428, fsopen
430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433, mount_setattr 442 442, fanotify_init 300 262,
landlock_create_ruleset 444 444, landlock_add_rule 445 445, landlock_restrict_self 446 446, process_madvise 440
440, process_mrelease 448 448, vhangup 153 58, syslog 103 116, lookup_dcookie 212 18, migrate_pages 256 238,
move_pages 279 239
"""

#: extended attributes: refused as by a file system that has none, so that copying a file goes on without them
_UNSUPPORTED = """
setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, getxattr 191 8, lgetxattr 192 9, fgetxattr 193 10, listxattr 194 11,
llistxattr 195 12, flistxattr 196 13, removexattr 197 14, lremovexattr 198 15, fremovexattr 199 16
"""

#: depend on the arguments, or on who makes them
_SPECIAL = """
clone 56 220, vfork 58 -, socket 41 198, clone3 435 435, tgkill 234 131, kill 62 129, recvmsg 47 212,
pidfd_open 434 434, pidfd_send_signal 424 424, waitid 247 95, prlimit64 302 261, fcntl 72 25, ioctl 16 29,
socketpair 53 199, prctl 157 167, seccomp 317 277, setrlimit 160 164
"""

_COLUMNS = {"x86_64": 0, "aarch64": 1}


def _numbers(table: str) -> dict[str, int]:
    column = _COLUMNS.get(os.uname().machine)
    if column is None:
        return {}
    entries = (entry.split() for entry in table.split(","))
    return {name: int(numbers[column]) for name, *numbers in entries if numbers[column] != "-"}


ALLOWED = _numbers(_ALLOWED)
DEADLY = _numbers(_DEADLY)
UNSUPPORTED = _numbers(_UNSUPPORTED)
SPECIAL = _numbers(_SPECIAL)
