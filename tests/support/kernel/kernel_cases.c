/* Prints the verifier cases of the kernel's selftests for XDP, one a line: description | map:slot,... | code in hex.
 * Compiled together with the part of their test_verifier.c that defines them (`kernel_cases.py` cuts it out). */
#include "cases.h"

struct fixup {
	const char *map;
	size_t offset;
};

#define FIXUP(name) { #name, offsetof(struct bpf_test, fixup_map_##name) }
static const struct fixup ours[] = {
	FIXUP(hash_8b), FIXUP(hash_48b), FIXUP(hash_16b), FIXUP(array_48b), FIXUP(array_ro), FIXUP(array_small),
};

/* Trailing zeros are the unused end of the array (test_verifier.c, probe_filter_length). */
static int length(const struct bpf_test *test)
{
	static const struct bpf_insn nothing;
	int at = test->prog_len ? test->prog_len : MAX_INSNS;

	while (at > 1 && !memcmp(&test->insns[at - 1], &nothing, sizeof nothing))
		at--;
	return at;
}

/* Slots that name a map of a kind that we do not have stay as they are, and the case ends at its first such instruction. */
static void print(const struct bpf_test *test)
{
	const unsigned char *bytes = (const unsigned char *)test->insns;

	printf("%s|", test->descr);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		const int *slots = (const int *)((const char *)test + ours[i].offset);

		for (int k = 0; k < MAX_FIXUPS && slots[k]; k++)
			printf("%s:%d,", ours[i].map, slots[k]);
	}
	printf("|");
	for (size_t i = 0; i < length(test) * sizeof test->insns[0]; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		if (tests[i].prog_type == BPF_PROG_TYPE_XDP && !tests[i].fill_helper)
			print(&tests[i]);
	return 0;
}
