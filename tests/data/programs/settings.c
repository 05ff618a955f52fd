/* Variables of every kind that a loader sets. With -DSET the compiler sets them: what a loader makes of the rest must be the same. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifdef SET
#define SET_TO(...) = __VA_ARGS__
#else
#define SET_TO(...) = {0}
#endif

enum mode { MODE_PASS, MODE_DROP, MODE_TX = 7 };
enum sign { BELOW = -3, ABOVE = 3 };

struct rule {
	__u32 address;
	__u16 port;
	__u8 low : 3;
	__u8 high : 5;
};

const volatile __u32 limit SET_TO(70000);
const volatile __s16 offset SET_TO(-2);
const volatile __s64 far SET_TO(-1099511627776);
const volatile bool enabled SET_TO(true);
const volatile char name[8] SET_TO("eth0");
const volatile char letter SET_TO('x');
const volatile enum mode mode SET_TO(MODE_TX);
const volatile enum sign sign SET_TO(BELOW);
const volatile __u16 ports[4] SET_TO({0, 0, 0, 53});
const volatile __u16 grid[2][3] SET_TO({{0}, {0, 0, 9}});
const volatile __u8 mac[6] SET_TO({2, 0, 0, 0, 1, 6});
const volatile __u8 peer[16] SET_TO({0xfd, [15] = 1});
const volatile struct {
	struct rule rules[2];
	union {
		__u64 word;
		__u8 bytes[8];
	};
} cfg SET_TO({.rules = {[1] = {.address = 0x0100000a, .port = 53, .low = 5, .high = 17}}, .bytes = {[1] = 0xaa}});
__u32 seed SET_TO(9);
__u32 kept = 11;
__u64 zeroed;
const volatile void *pointer;

SEC("xdp") int settings(struct xdp_md *ctx)
{
	static const volatile __u32 inside SET_TO(5);

	if (pointer)
		return XDP_ABORTED;
	if (enabled && name[0] == 'e' && mac[5] == 6 && peer[15] == 1 && letter == 'x' && sign == BELOW && far < 0)
		return mode == MODE_TX ? XDP_TX : XDP_ABORTED;
	return limit + offset + ports[2] + grid[1][2] + cfg.rules[1].high + cfg.word + seed + kept + zeroed + inside;
}
