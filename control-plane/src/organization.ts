/** The one organization of a deployment. */
export const organization = 'default';
