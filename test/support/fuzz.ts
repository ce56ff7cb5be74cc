/** How many inputs a fuzz test makes: few in each check, and 10,000 with `npm run fuzz`. */
export function fuzzRuns(quick: number): number {
  return process.env.SHUTTLE_FUZZ === 'full' ? 10_000 : quick;
}
