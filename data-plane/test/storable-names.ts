/** Every name that the contract allows, or those that a service can hold that keeps each object in a file of that name. */
export type StorableNames = 'every' | 'like files';
