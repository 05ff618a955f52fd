/* Runs one program, compiled for the host, on one packet: `harness HEX REPEAT` prints its mean time as `unibpf-run` does.
 *
 * PROGRAM is the C file, ENTRY its function. As in the engines, each run gets a fresh context and the packet as the run
 * before left it, and is reached through a pointer that the compiler cannot see through.
 */
#include PROGRAM

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ROOM 2048

static unsigned long long clock_ns(void)
{
	return bpf_ktime_get_ns();
}

/* The number of bytes; dies on anything that is no hexadecimal. */
static __u32 read_hex(const char *text, __u8 *bytes)
{
	__u32 count = 0;

	for (; text[0] && count < ROOM; text += 2) {
		unsigned int byte;
		if (sscanf(text, "%2x", &byte) != 1)
			exit(2);
		bytes[count++] = byte;
	}
	return count;
}

int main(int argc, char **argv)
{
	/* xdp_md holds addresses in 32 bits. */
	__u8 *packet = mmap(0, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int (*volatile entry)(struct xdp_md *) = ENTRY;
	unsigned int code = 0;

	if (argc != 3 || packet == MAP_FAILED)
		return 2;
	__u32 length = read_hex(argv[1], packet);
	unsigned long long repeat = strtoull(argv[2], 0, 10), start = clock_ns();
	for (unsigned long long i = 0; i < repeat; i++) {
		struct xdp_md context = {.data = (__u32)(unsigned long)packet, .data_meta = (__u32)(unsigned long)packet};
		context.data_end = context.data + length;
		code = entry(&context);
	}
	double mean = (double)(clock_ns() - start) / repeat;
	printf("{\"verdict_code\":%u,\"ns\":%.3f,\"packet\":\"", code, mean);
	for (__u32 i = 0; i < length; i++)
		printf("%02x", packet[i]);
	puts("\"}");
	return 0;
}
