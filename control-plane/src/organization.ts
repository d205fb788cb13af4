/** The organization that every deployment begins with, and the name of the user that the launcher acts for. */
export const organization = 'default';
