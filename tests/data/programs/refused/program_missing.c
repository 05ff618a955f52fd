/* A function, but no program. */
int helper(int a)
{
	return a + 1;
}
