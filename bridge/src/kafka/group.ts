/** A consumer group as its coordinator describes it. */
import { ShuttleError } from '../errors.ts';
import type { KafkaClient } from './client.ts';

/**
 * Makes sure that nobody is a member of the group.
 *
 * @throws ShuttleError GROUP_ACTIVE naming how many are
 */
export async function requireNoMembers(client: KafkaClient, groupId: string): Promise<void> {
  const { groups } = await client.admin((admin) => admin.describeGroups([groupId]));
  const members = groups[0]?.members ?? [];
  if (members.length > 0) {
    const hosts = members.map(({ clientHost }) => clientHost).join(', ');
    throw new ShuttleError(
      'GROUP_ACTIVE',
      `The group ${groupId} has ${members.length} members, on ${hosts}.`,
      { at: { group: groupId } },
    );
  }
}
