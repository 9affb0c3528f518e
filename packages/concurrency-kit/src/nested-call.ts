/** Advice in the errors of nested calls: the context looks the same for another caller's job that was started in it. */
export const BIND = 'if a queue or an event emitter started this job for another caller, wrap it in AsyncResource.bind'
