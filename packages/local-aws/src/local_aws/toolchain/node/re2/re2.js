export default RegExp;
